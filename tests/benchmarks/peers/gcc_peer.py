"""C compiled by gcc -O3 -ffast-math: derivatives by hand in a loop over points; training loops by hand.

Called through ctypes.  The training loop knows its sizes when it is compiled and takes large products from the BLAS
that SciPy carries.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from sympy.codegen.ast import float32, real
from sympy.codegen.rewriting import create_expand_pow_optimization
from sympy.printing.c import C99CodePrinter

from ..cases import Formula, Net

FLAGS = ("-O3", "-ffast-math", "-fPIC", "-c")
# Sine and cosine of one argument become one call of sincos, which gcc does not vectorise, unless it is told not to.
TRIGONOMETRIC = ("-fdisable-tree-sincos",)


def version() -> str:
    return subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


def _library(source: str, processor: tuple[str, ...]) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "code.c"
        file.write_text(source)
        compiled, binary = Path(folder) / "code.o", Path(folder) / "code.so"
        flags = (*FLAGS, *processor, *(TRIGONOMETRIC if "sin" in source and "cos" in source else ()))
        # Linked without -ffast-math, which would make the whole process flush subnormal numbers to 0.
        for command in (
            ["gcc", *flags, str(file), "-o", str(compiled)],
            ["gcc", "-shared", str(compiled), "-o", str(binary), "-lm"],
        ):
            subprocess.run(command, check=True, stderr=subprocess.PIPE)
        return ctypes.CDLL(str(binary))


def _printer(dtype: str) -> C99CodePrinter:
    return C99CodePrinter({"math_macros": {}, "type_aliases": {real: float32} if dtype == "float32" else {}})


def _pointwise(formula: Formula, dtype: str) -> str:
    """void pointwise(long n, const T *in_x, ..., T *out_0, ...): the derivatives by hand, shared parts by cse."""
    names = list(formula.ranges)
    symbols = [sympy.Symbol(n, positive=True) for n in names]
    results = formula.by_hand(sympy, lambda v: sympy.Integer(v) if v == int(v) else sympy.Float(v))(*symbols)
    scalar = {"float32": "float", "float64": "double"}[dtype]
    printer = _printer(dtype)
    products = create_expand_pow_optimization(8, base_req=lambda base: True)
    shared, results = sympy.cse(results, sympy.numbered_symbols("t_"))
    inputs = [f"const {scalar} *restrict in_{n}" for n in names]
    outputs = [f"{scalar} *restrict out_{k}" for k in range(len(results))]
    body = [f"const {scalar} {n} = in_{n}[i];" for n in names]
    body += [f"const {scalar} {name} = {printer.doprint(products(value))};" for name, value in shared]
    body += [f"out_{k}[i] = {printer.doprint(products(value))};" for k, value in enumerate(results)]
    lines = "\n        ".join(body)
    arguments = ", ".join(["long n", *inputs, *outputs])
    return f"""#include <math.h>
void pointwise({arguments}) {{
    for (long i = 0; i < n; i++) {{
        {lines}
    }}
}}
"""


def elementwise(formula: Formula, points: dict[str, Any], processor: tuple[str, ...] = ()) -> Callable[[], Any]:
    names, arrays = list(points), list(points.values())
    count, dtype = arrays[0].size, arrays[0].dtype
    function = _library(_pointwise(formula, dtype.name), processor).pointwise
    function.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * (2 * len(names) + 1)
    function.restype = None

    def call() -> Any:
        out = [np.empty(count, dtype) for _ in range(len(names) + 1)]
        function(count, *(a.ctypes.data for a in arrays), *(a.ctypes.data for a in out))
        return out[0], out[1:]

    return call


# --- training --------------------------------------------------------------------------------------------------------

SMALL = 32768  # multiplications below which unrolled loops of known size beat a call of BLAS

TRAINING = r"""
#include <math.h>
#include <string.h>
typedef void (*gemm_type)(char*, char*, int*, int*, int*, float*, float*, int*, float*, int*, float*, float*, int*);
static gemm_type sgemm;

/* out = a b, a' b, a b', row by row; the sizes are constants where these are inlined */
static inline void product(int m, int k, int n, const float *restrict a, const float *restrict b, float *restrict out) {
    if ((long)m * k * n > SMALL) {
        float one = 1, zero = 0;
        sgemm("N", "N", &n, &m, &k, &one, (float*)b, &n, (float*)a, &k, &zero, out, &n);
        return;
    }
    for (int i = 0; i < m; i++) {
        for (int p = 0; p < n; p++) out[i * n + p] = 0;
        for (int j = 0; j < k; j++)
            for (int p = 0; p < n; p++) out[i * n + p] += a[i * k + j] * b[j * n + p];
    }
}
static inline void product_t1(int m, int k, int n, const float *restrict a, const float *restrict b, float *restrict out) {
    if ((long)m * k * n > SMALL) {
        float one = 1, zero = 0;
        sgemm("N", "T", &n, &m, &k, &one, (float*)b, &n, (float*)a, &m, &zero, out, &n);
        return;
    }
    for (int i = 0; i < m * n; i++) out[i] = 0;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < m; i++)
            for (int p = 0; p < n; p++) out[i * n + p] += a[j * m + i] * b[j * n + p];
}
static inline void product_t2(int m, int k, int n, const float *restrict a, const float *restrict b, float *restrict out) {
    if ((long)m * k * n > SMALL) {
        float one = 1, zero = 0;
        sgemm("T", "N", &n, &m, &k, &one, (float*)b, &k, (float*)a, &k, &zero, out, &n);
        return;
    }
    for (int i = 0; i < m; i++)
        for (int p = 0; p < n; p++) {
            float s = 0;
            for (int j = 0; j < k; j++) s += a[i * k + j] * b[p * k + j];
            out[i * n + p] = s;
        }
}
static inline void update(int n, float *restrict w, const float *restrict g, float *restrict m, float *restrict s, float c1, float c2) {
    for (int i = 0; i < n; i++) {
        if (ADAM) {
            m[i] = 0.9f * m[i] + 0.1f * g[i];
            s[i] = 0.999f * s[i] + 0.001f * g[i] * g[i];
            w[i] -= LR * (m[i] * c1) / (sqrtf(s[i] * c2) + 1e-8f);
        } else w[i] -= LR * g[i];
    }
}
static inline float loss_and_delta(const float *restrict z, const float *restrict t, float *restrict d) {
    float total = 0;
    for (int i = 0; i < BATCH; i++, z += OUTPUTS, t += OUTPUTS, d += OUTPUTS) {
        if (KIND == 0) {
            float top = z[0], sum = 0, held = 0;
            for (int j = 1; j < OUTPUTS; j++) top = fmaxf(top, z[j]);
            for (int j = 0; j < OUTPUTS; j++) d[j] = expf(z[j] - top);
            for (int j = 0; j < OUTPUTS; j++) { sum += d[j]; held += t[j] * (z[j] - top); }
            total += logf(sum) - held;
            for (int j = 0; j < OUTPUTS; j++) d[j] = (d[j] / sum - t[j]) * (1.0f / BATCH);
        } else if (KIND == 1) {
            float e = expf(-fabsf(*z)), y = 1 / (1 + e);
            total += fmaxf(*z, 0) - *t * *z + log1pf(e);
            *d = ((*z >= 0 ? y : 1 - y) - *t) * (1.0f / BATCH);
        } else {
            total += 0.5f * (*z - *t) * (*z - *t);
            *d = (*z - *t) * (1.0f / BATCH);
        }
    }
    return total * (1.0f / BATCH);
}
"""


def _training_source(net: Net) -> str:
    """The loop over epochs and batches with the layers written out."""
    sizes, layers, n = net.sizes, len(net.sizes) - 1, net.batch
    kind = ("softmax", "sigmoid", "linear").index(net.output)
    head = (
        f"#define SMALL {SMALL}\n#define ADAM {int(net.optimizer == 'adam')}\n#define LR {net.lr}f\n"
        f"#define BATCH {n}\n#define KIND {kind}\n#define OUTPUTS {sizes[-1]}\n"
    )
    static, forward, backward = [f"static float h0[{n * sizes[0]}], t[{n * sizes[-1]}];"], [], []
    for k in range(1, layers + 1):
        a, b = sizes[k - 1], sizes[k]
        static.append(f"static float h{k}[{n * b}], d{k}[{n * b}], gw{k}[{a * b}], gb{k}[{b}];")
        static.append(f"static float mw{k}[{a * b}], sw{k}[{a * b}], mb{k}[{b}], sb{k}[{b}];")
        act = "tanhf" if k < layers else ""
        forward += [
            f"product({n}, {a}, {b}, h{k - 1}, w{k}, h{k});",
            f"for (int i = 0; i < {n}; i++) for (int j = 0; j < {b}; j++) h{k}[i * {b} + j] = {act}(h{k}[i * {b} + j] + b{k}[j]);",
        ]
        back = [
            f"product_t1({a}, {n}, {b}, h{k - 1}, d{k}, gw{k});",
            f"for (int j = 0; j < {b}; j++) gb{k}[j] = 0;",
            f"for (int i = 0; i < {n}; i++) for (int j = 0; j < {b}; j++) gb{k}[j] += d{k}[i * {b} + j];",
        ]
        if k > 1:
            back += [
                f"product_t2({n}, {b}, {a}, d{k}, w{k}, d{k - 1});",
                f"for (int i = 0; i < {n * a}; i++) d{k - 1}[i] *= 1 - h{k - 1}[i] * h{k - 1}[i];",
            ]
        back += [
            f"update({a * b}, w{k}, gw{k}, mw{k}, sw{k}, c1, c2);",
            f"update({b}, b{k}, gb{k}, mb{k}, sb{k}, c1, c2);",
        ]
        backward[:0] = back
    clear = [f"memset({x}{k}, 0, sizeof {x}{k});" for k in range(1, layers + 1) for x in ("mw", "sw", "mb", "sb")]
    weights = ", ".join(f"float *restrict w{k}, float *restrict b{k}" for k in range(1, layers + 1))
    indent = "\n            "
    return f"""{head}{TRAINING}
{chr(10).join(static)}
void train(void *gemm, long epochs, const long *order, const float *x, const float *targets, double *losses, {weights}) {{
    double p1 = 1, p2 = 1;
    sgemm = (gemm_type)gemm;
    {" ".join(clear)}
    for (long epoch = 0; epoch < epochs; epoch++) {{
        double total = 0;
        for (int start = 0; start < {net.examples}; start += BATCH, order += BATCH) {{
            if (epoch == 0 || !{int(net.whole)}) for (int i = 0; i < BATCH; i++) {{
                memcpy(h0 + i * {sizes[0]}, x + order[i] * {sizes[0]}, {4 * sizes[0]});
                memcpy(t + i * OUTPUTS, targets + order[i] * OUTPUTS, 4 * OUTPUTS);
            }}
            {indent.join(forward)}
            total += loss_and_delta(h{layers}, t, d{layers});
            p1 *= 0.9; p2 *= 0.999;
            const float c1 = 1 / (1 - p1), c2 = 1 / (1 - p2);
            {indent.join(backward)}
        }}
        losses[epoch] = total / {net.steps};
    }}
}}
"""


def _gemm() -> int:
    """The address of sgemm in SciPy's BLAS."""
    from scipy.linalg import cython_blas

    pointer, name = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_GetName
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    capsule = cython_blas.__pyx_capi__["sgemm"]
    return pointer(capsule, name(capsule))


def training(net: Net, processor: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    x, t = net.numbers()
    function = _library(_training_source(net), processor).train
    address = ctypes.c_void_p(_gemm())

    def call(order: Any) -> Any:
        layers, losses = net.initial(), np.empty(len(order))
        arrays = [order, x, t, losses, *(a for layer in layers for a in layer)]
        function(address, ctypes.c_long(len(order)), *(ctypes.c_void_p(a.ctypes.data) for a in arrays))
        return layers, losses

    return call
