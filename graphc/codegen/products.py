"""Contractions: which are products of matrices, by tiles or by BLAS, and which are loops like any other.

In: a contraction, and a schedule that knows which operands are transposes.  Out: `MatrixProduct`, or labels in the
order of their loops.
Always holds: a transposed operand is read in place; a product whose known sizes make it small is a loop, because a call
costs time (of BLAS about 0.4 us), and because a loop over rows joins the loops around it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sympy import Basic, S, Symbol

from graphc.codegen.artifact import SHORT_ROW
from graphc.codegen.schedule import LabelledProduct, MatrixProduct, Schedule, lowering_of
from graphc.graph.graph import Equation, operands, statics
from graphc.graph.types import Size, product, surely_at_most
from graphc.ops.contraction import label_sizes, split
from graphc.ops.lowering import Access, Contract, Scalar

SMALL_PRODUCT, SMALL_ROW = (
    4096,
    256,
)  # multiplications below which a product of known size, or a row, is no call of BLAS
SMALL_TILED, SMALL_TILED_ROW = 512, 64  # the same of products by tiles
LARGE_TILED = 1 << 24  # multiplications of known sizes from which on BLAS takes less time: it has blocks for each cache
SHARED_TILED = 1 << 12  # the same where BLAS has threads
NARROW = 8  # columns below which vectors would be empty
SHORT_SUM = 8  # terms of a sum that are written out
SMALL_COLUMN = 512  # and of a row where it is a product with a single column


def labelled(plan: Schedule, equation: Equation) -> LabelledProduct:
    """A contraction's labels in the order of its loops.

    A short sum is written out, so that the contraction is elementwise.  A summed label that leads both operands is the
    outermost loop, each turn adding to the whole result (x.T @ g, an example a turn); else the result's are outside.
    """
    a, b, part_a, part_b, result, sizes = _untransposed_operands(plan, equation)
    summed = "".join(c for c in dict.fromkeys(part_a + part_b) if c not in result and sizes[c] != 1)
    found = LabelledProduct(a, b, part_a, part_b, result, result, sizes, unrolled=summed)
    wide_a, wide_b, wide = ("".join(c for c in part if sizes[c] != 1) for part in (part_a, part_b, result))
    terms = product(sizes[c] for c in summed)
    if isinstance(terms, int) and terms <= SHORT_SUM:
        return found
    if wide_a[:1] == wide_b[:1] and wide_a[:1] in summed:
        order = wide_a[0] + wide + summed.replace(wide_a[0], "")
        return replace(found, order=order, unrolled="", runs=not wide)
    if not wide or all(summed[-1] not in part or part.endswith(summed[-1]) for part in (wide_a, wide_b)):
        return replace(found, order=wide + summed, unrolled="")
    return replace(found, order=wide[:-1] + summed + wide[-1], unrolled="", runs=False)


def matrix_product(plan: Schedule, equation: Equation) -> MatrixProduct | None:
    """The contraction as a product of matrices, where its labels stand in groups and its kind is real."""
    a, b, part_a, part_b, result, sizes = _untransposed_operands(plan, equation)
    if any(not isinstance(x, Symbol) or plan.graph.types[x].kind != "real" for x in (a, b)):
        return None
    batch = _common_prefix(part_a, part_b, result)
    a_rest, b_rest, c_rest = (p[len(batch) :] for p in (part_a, part_b, result))
    summed = [c for c in a_rest if c not in c_rest]
    if any(c in c_rest and c in a_rest for c in b_rest) or not summed:
        return None
    for left, right, left_part, right_part in ((a, b, a_rest, b_rest), (b, a, b_rest, a_rest)):
        rows = "".join(c for c in c_rest if c in left_part)
        columns = "".join(c for c in c_rest if c in right_part)
        turned = _orientation(left_part, rows) if rows + columns == c_rest else None
        if turned is None:
            continue
        inner = left_part[len(rows) :] if not turned else left_part[: len(left_part) - len(rows)]
        if right_part not in (inner + columns, columns + inner):
            continue
        m, n, k, repeat = (product(sizes[c] for c in part) for part in (rows, columns, inner, batch))
        turned_b = right_part != inner + columns
        tiled = _is_tiled(plan, m, n, k, m if turned else k, k if turned_b else n)
        limits = (SMALL_TILED, SMALL_TILED_ROW) if tiled else (SMALL_PRODUCT, SMALL_ROW)
        if m * n == 1 or k == 1 or _is_small(sizes.values(), *limits):
            return None
        if n == 1 and _is_small((m, k), SMALL_PRODUCT, SMALL_COLUMN):
            return None
        assert isinstance(left, Symbol)
        assert isinstance(right, Symbol)
        return MatrixProduct(left, right, turned, turned_b, repeat, m, n, k, tiled)
    return None


@dataclass(frozen=True)
class Accumulation:
    """A product that is scaled and added to an array: one call, `target = beta onto + alpha product`."""

    target: Symbol
    product: MatrixProduct
    equations: tuple[Equation, ...]


def accumulation(
    plan: Schedule, equation: Equation, users: Users, owners: Mapping[Basic, Symbol]
) -> Accumulation | None:
    """The equations around a product of matrices that one call of BLAS computes with it.

    `owners`: the array that a symbol is the next value of.  What is added to is that array, or another product that
    nobody else reads.
    """
    found = matrix_product(plan, equation)
    if found is None:
        return None
    chain, alpha = _scaled(equation, users)
    scaled, last = chain[-1].target, users.only(chain[-1].target)
    lowering = lowering_of(last) if last is not None else None
    if last is None or not isinstance(lowering, Scalar) or len(lowering.weights) != 2:
        return None
    atoms, types = operands(last.expr), plan.graph.types
    at = atoms.index(scaled)
    other = atoms[1 - at]
    if not isinstance(other, Symbol) or other == scaled or not types[other] == types[last.target] == types[scaled]:
        return None
    alpha, beta = alpha * lowering.weights[at], S(lowering.weights[1 - at])
    onto, around = other, (*chain, last)
    maker = users.makers.get(other)
    if maker is not None and users.only(other) is last and (factor := _factor(maker)) is not None:
        onto, beta, around = factor[0], beta * factor[1], (maker, *around)
    if owners.get(last.target) != onto and not _is_spare_product(plan, onto, users):
        return None
    return Accumulation(last.target, replace(found, alpha=alpha, beta=beta, onto=onto), around)


def read_by_products_alone(plan: Schedule, s: Symbol) -> bool:
    """True where an array is only the first matrix of products that can find its rows by a list, and that read them once:
    with long rows of a result they read them for each of its panels, which takes longer than to gather them."""
    rows = plan.shape(s)[0]
    kept = [*plan.graph.outputs, *plan.graph.metrics, *(value for _, value in plan.graph.updates)]
    for kernel in plan.kernels:
        p = kernel.product
        if p is None:
            kept += [atom for e in kernel.equations for atom in operands(e.expr)]
            continue
        kept += [p.b, *([p.onto] if p.onto is not None else [])]
        once = p.tiled and p.batch == 1 and surely_at_most(p.n, SHORT_ROW)
        if not (once and rows == (p.k if p.transpose_a else p.m)):
            kept.append(p.a)
    return not any(s in plan.touched(atom) for atom in kept if isinstance(plan.root(atom), Symbol))


@dataclass(frozen=True)
class Users:
    """Who computes a symbol, and which equations read it."""

    makers: Mapping[Basic, Equation]
    readers: Mapping[Basic, list[Equation]]
    results: frozenset[Basic]

    def only(self, s: Symbol) -> Equation | None:
        """The only equation that reads a symbol; None where there are others, or where it is a result."""
        found = self.readers.get(s, [])
        return found[0] if len(found) == 1 and s not in self.results else None


def _is_spare_product(plan: Schedule, s: Symbol, users: Users) -> bool:
    maker = users.makers.get(s)
    if maker is None or users.only(s) is None or not isinstance(lowering_of(maker), Contract):
        return False
    return matrix_product(plan, maker) is not None


def _scaled(equation: Equation, users: Users) -> tuple[list[Equation], Basic]:
    """A product and the multiplications by numbers that follow it, with their product."""
    chain: list[Equation] = [equation]
    alpha: Basic = S.One
    while (then := users.only(chain[-1].target)) is not None and (factor := _factor(then)) is not None:
        chain.append(then)
        alpha = alpha * factor[1]
    return chain, alpha


def _factor(equation: Equation) -> tuple[Symbol, Basic] | None:
    """The operand and the number of a multiplication by a number."""
    lowering, atoms = lowering_of(equation), operands(equation.expr)
    symbols, numbers = [a for a in atoms if isinstance(a, Symbol)], [a for a in atoms if not isinstance(a, Symbol)]
    if not isinstance(lowering, Scalar) or len(symbols) != 1:
        return None
    if lowering.scales and len(numbers) == 1:
        return symbols[0], numbers[0]
    return (symbols[0], S(lowering.weights[0])) if len(lowering.weights) == 1 else None


def _is_tiled(plan: Schedule, m: Size, n: Size, k: Size, row_of_a: Size, row_of_b: Size) -> bool:
    """True where it is known how far rows are apart, and where `codegen.tiles` takes less time than BLAS."""
    known = product(d for d in (m, n, k) if isinstance(d, int))
    limit = LARGE_TILED if plan.one_thread else SHARED_TILED
    rows = isinstance(row_of_a, int) and isinstance(row_of_b, int)
    return rows and isinstance(n, int) and n >= NARROW and surely_at_most(known, limit)


def _is_small(sizes: Collection[Size], whole: int, of_row: int) -> bool:
    """True where the known sizes make few multiplications: all of them, or those of a row if one size is not known."""
    unknown = [d for d in sizes if not isinstance(d, int)]
    known = product(d for d in sizes if isinstance(d, int))
    assert isinstance(known, int)
    return (not unknown and known <= whole) or (len(unknown) == 1 and known <= of_row)


def _untransposed_operands(plan: Schedule, equation: Equation) -> tuple[Basic, Basic, str, str, str, dict[str, Size]]:
    a, b = operands(equation.expr)
    part_a, part_b, result = split(statics(equation.expr)[0])
    a, part_a = _untransposed(plan, a, part_a)
    b, part_b = _untransposed(plan, b, part_b)
    sizes = label_sizes((part_a, part_b), (plan.shape(a), plan.shape(b)), lambda x, y, relation="==": None)
    return a, b, part_a, part_b, result, sizes


def _untransposed(plan: Schedule, atom: Basic, labels: str) -> tuple[Basic, str]:
    """An operand without the transposes around it, its labels permuted instead."""
    while isinstance(atom, Symbol) and atom in plan.virtual:
        equation = plan.virtual[atom]
        lowering = lowering_of(equation)
        if not (isinstance(lowering, Access) and lowering.permutes):
            break
        (axes,) = statics(equation.expr)
        permuted = [""] * len(axes)
        for place, axis in enumerate(axes):
            permuted[axis] = labels[place]
        atom, labels = operands(equation.expr)[0], "".join(permuted)
    return atom, labels


def _common_prefix(*parts: str) -> str:
    """Leading labels that all parts share: axes that a product is repeated over."""
    count = 0
    while all(len(p) > count for p in parts) and len({p[count] for p in parts}) == 1:
        count += 1
    return parts[0][:count]


def _orientation(part: str, rows: str) -> bool | None:
    """False where the rows' labels come first, True where they come last, None where they are apart."""
    if part.startswith(rows):
        return False
    return True if part.endswith(rows) else None
