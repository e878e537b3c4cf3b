"""How kernels and helpers are compiled: only as far as their callers need; and the entries that call them.

In: a Python function and the types of its arguments.  Out: unoptimised LLVM text, linked into whoever calls it; of an
entry, machine code.
Always holds: a kernel has no machine code of its own, so Numba neither optimises nor emits it twice (a third of
the time to compile a training loop); its pointers never overlap, which the memory plan guarantees, so that LLVM needs
no checks before a vector loop; it raises nothing.
"""

from __future__ import annotations

import re
from typing import Any

from llvmlite import binding
from numba.core import cgutils, typed_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass

_LABEL = re.compile(r'^"?B(\d+)[^:]*:')
_JUMP = re.compile(r'^\s+br label %"?B(\d+)')


class LinkedLibrary(JITCodeLibrary):  # type: ignore[misc]
    """LLVM text that waits to be linked: nothing is optimised and nothing is emitted here.

    `one_body`: all calls share it, because inlined into a long function it takes longer to compile.
    """

    one_body = False

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def add_ir_module(self, ir_module: Any) -> None:
        self._raise_if_finalized()
        _align_stack(ir_module)
        for function in ir_module.functions if self.one_body else ():
            if function.blocks and not function.linkage:
                function.attributes.add("noinline")
        self.add_llvm_module(binding.parse_assembly(_vector_first(cgutils.normalize_ir_text(str(ir_module)))))

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class EntryLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Machine code of an entry and all it calls.

    What the vectoriser calls for seldom cases (`tracing.rare_function`) is inlined after it has run: a call would have
    all vectors of the loop kept on the stack.
    """

    def add_ir_module(self, ir_module: Any) -> None:
        _align_stack(ir_module)
        super().add_ir_module(ir_module)

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()
        passes = binding.create_new_module_pass_manager()
        passes.add_always_inliner_pass()
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
        builder = binding.create_pass_builder(self._codegen._tm, binding.create_pipeline_tuning_options())
        passes.run(self._final_module, builder)


class EntryCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's own passes."""

    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.library = EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return [DefaultPassBuilder.define_nopython_pipeline(state)]


def _align_stack(ir_module: Any) -> None:
    """Has vectors that registers do not hold kept where a cache line begins: across two lines they cost twice."""
    for function in ir_module.functions:
        if function.blocks:
            set.add(function.attributes, '"stackrealign"')  # llvmlite knows no attributes in quotes


def _vector_first(text: str) -> str:
    """LLVM text whose loops are not unrolled: LLVM would unroll short loops before it looks for vectors in them."""
    lines, block, loops = [], 0, 0
    for line in text.splitlines():
        if (label := _LABEL.match(line)) is not None:
            block = int(label[1])
        elif (jump := _JUMP.match(line)) is not None and int(jump[1]) <= block:
            line += f", !llvm.loop !{9000 + loops}"
            loops += 1
        lines.append(line)
    lines += [f"!{9000 + k} = distinct !{{!{9000 + k}, !8999}}" for k in range(loops)]
    return "\n".join(lines) + ('\n!8999 = !{!"llvm.loop.unroll.disable"}\n' if loops else "\n")


@register_pass(mutates_CFG=False, analysis_only=False)
class Publish(LoweringPass):  # type: ignore[misc]
    """Makes a lowered function known to its callers, without an address."""

    _name = "graphc_publish"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        name: Any = [].append  # Numba knows a function by its built-in entry point; this one is never called
        descriptor = state["cr"].fndesc
        state.library.finalize()
        state.targetctx.insert_user_function(name, descriptor, [state.library])
        state["cr"] = state["cr"]._replace(cfunc=name)
        return True


class LinkedCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's own passes up to LLVM text."""

    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.flags.noalias = state.flags.no_compile = True
        state.library = LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.one_body = not state.flags.forceinline
        manager = PassManager("linked")
        for part in (DefaultPassBuilder.define_untyped_pipeline, DefaultPassBuilder.define_typed_pipeline):
            manager.passes.extend(part(state).passes)
        for step in (
            typed_passes.NoPythonSupportedFeatureValidation,
            typed_passes.IRLegalization,
            typed_passes.AnnotateTypes,
            typed_passes.NativeLowering,
            Publish,
            typed_passes.NoPythonBackend,
        ):
            manager.add_pass(step, step._name)
        manager.finalize()
        return [manager]
