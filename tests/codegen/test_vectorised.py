"""The loops of generated code are vectorised, and call nothing for each element.

In: the table of operations.  Out: nothing, or a failed assertion that names the operation and what its loop calls.
Always holds: what is read is what LLVM made of a program that went through the public calls.
"""

from __future__ import annotations

import math
import re

import pytest
from llvmlite.binding import get_host_cpu_features

import graphc
from graphc.codegen.native import llvm_texts, machine, optimised
from graphc.graph.operation import Operation
from graphc.ops import OPERATIONS
from graphc.ops.lowering import Scalar

# Operations whose loops may stay scalar, each with its reason.
SCALAR = {
    "gamma": "a call to the C library",
    "loggamma": "a call to the C library",
    "digamma": "a recurrence of as many steps as the number asks for",
    "polygamma": "a recurrence of as many steps as the number asks for",
    "langevin": "a series of as many terms as the order asks for",
    "dlogerfcx": "a continued fraction of as many terms as the number asks for",
    "d2logerfcx": "a continued fraction of as many terms as the number asks for",
    "sinc": "a recurrence of as many steps as the order asks for",
    "mod": "the exact remainder is a loop of its own",
}
VECTOR = [o for o in OPERATIONS if o.elementwise and isinstance(o.lowering, Scalar) and o.name not in SCALAR]


def program(operation: Operation) -> str:
    """The operation over numbers; where it takes or gives conditions, inside of a select."""
    names = [p.name for p in operation.parameters if p.role == "operand"]
    condition = names[:1] == ["condition"]
    truths = operation.lowering is not None and getattr(operation.lowering, "cast", "") == "bool"
    operands = [f"x{k} > 0" if truths or (condition and k == 0) else f"x{k}" for k in range(len(names))]
    if operation.syntax:
        body = operation.syntax
        for name, operand in zip(names, operands, strict=True):
            body = re.sub(rf"\b{name}\b(?=[^()]*$)", f"({operand})", body, count=1)
    else:
        body = f"{operation.written}({', '.join(operands)})"
    return body


def compiled(text: str, dtype: str, entry: str) -> tuple[str, str]:
    """LLVM's text and the processor's."""
    artifact = graphc.compile(text, dtype=dtype).artifact
    module = optimised(*llvm_texts(artifact.source, artifact.entry(entry), dtype))
    return str(module), machine().emit_assembly(module)


def is_vectorised(llvm: str) -> bool:
    """Whether loops were written as vectors, or LLVM made vectors of them."""
    return any(sign in llvm for sign in ("llvm.loop.isvectorized", "llvm.masked.store", "llvm.memcpy"))


def foreign(llvm: str, assembly: str) -> set[str]:
    """Functions of numbers that the code calls and does not contain: declared ones, and the C library's by name."""
    declared = re.findall(r"^declare[^@\n]*\b(?:double|float)\b[^@\n]*@\"?([\w.]+)", llvm, re.MULTILINE)
    names = {name for name in declared if not name.startswith("llvm.")}
    names |= {name + width for name in (*dir(math), "rint", "tgamma") for width in ("", "f")}
    return names & set(re.findall(r"[\w.]+", assembly))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("operation", VECTOR, ids=lambda o: o.name)
def test_a_loop_is_vectorised_and_calls_nothing(operation: Operation, dtype: str) -> None:
    if operation.name == "where" and not get_host_cpu_features().get("avx"):
        pytest.skip("an operand that is read only under a condition needs loads with masks")
    text = program(operation)
    llvm, assembly = compiled(text, dtype, "forward_points")
    assert not foreign(llvm, assembly), f"{text} calls {foreign(llvm, assembly)} for each element"
    assert is_vectorised(llvm), f"the loop of {text} is not vectorised"


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.name in ("gamma", "mod")], ids=lambda o: o.name)
def test_a_call_for_each_element_is_seen(operation: Operation) -> None:
    assert foreign(*compiled(program(operation), "float64", "forward_points"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_over_arrays_are_vectorised(dtype: str) -> None:
    names = [o.written for o in VECTOR if o.partials and len(o.parameters) == 1 and not o.syntax]
    text = "input x[n, 5]; y = " + " + ".join(f"{name}(x)" for name in names) + "; output y"
    llvm, assembly = compiled(text, dtype, "forward_run")
    assert not foreign(llvm, assembly)
    assert is_vectorised(llvm)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", ["exp(-x^2)*sin(x)", "tanh(x)*sigmoid(y)", "log(x)^y", "softplus(x) + gelu(y)"])
def test_gradients_are_vectorised(text: str, dtype: str) -> None:
    llvm, assembly = compiled(text, dtype, "value_and_grad_points")
    assert not foreign(llvm, assembly)
    assert is_vectorised(llvm)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_vector_is_kept_for_a_call_or_across_cache_lines(dtype: str) -> None:
    llvm, _ = compiled("cos(sin(x^2) + 3x^2) * tan(x)", dtype, "value_and_grad_points")
    assert is_vectorised(llvm)
    assert not re.search(r"call[^\n]*@graphc_\w+_\d+\(", llvm), "the test of a vector for seldom cases is a call"
    (group,) = re.findall(r"^define[^\n]*@value_and_grad_points[^\n]*(#\d+) {$", llvm, re.MULTILINE)
    assert re.search(rf"^attributes {group} = .*stackrealign", llvm, re.MULTILINE)
