"""Which names a piece of Python needs from outside and which it leaves behind, by a walk over its syntax tree."""

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass

_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a piece of code.

    needed: read before the code itself binds them; builtins are left out.
    bound: defined by it for the code that comes after.
    """

    needed: frozenset[str]
    bound: frozenset[str]


def names(source: str) -> Names:
    """The names of a cell; raises SyntaxError when it is not plain Python."""
    walk = _Walk()
    walk.visit(ast.parse(source))
    return Names(frozenset(walk.needed - _BUILTINS), frozenset(walk.scopes[0]))


class _Walk(ast.NodeVisitor):
    """Visits in the order of execution: a value before its target, an iterable before its loop variable.

    Asynchronous code is not told apart: lessons call the clouds' plain clients.
    """

    def __init__(self) -> None:
        self.needed: set[str] = set()
        self.scopes: list[set[str]] = [set()]

    def _bind(self, name: str) -> None:
        self.scopes[-1].add(name)

    def _need(self, name: str) -> None:
        if not any(name in scope for scope in self.scopes):
            self.needed.add(name)

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        else:
            self._need(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._visit_all([node.value, *node.targets])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.annotation, node.value])
        if node.value is not None:
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._need(node.target.id)
        self._visit_all([node.value, node.target])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._visit_all([node.value, node.target])

    def visit_For(self, node: ast.For) -> None:
        self._visit_all([node.iter, node.target, *node.body, *node.orelse])

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._visit_all([node.iter, node.target, *node.ifs])

    def _visit_comprehension_of(self, *results: ast.expr, generators: list[ast.comprehension]) -> None:
        self.scopes.append(set())
        self._visit_all([*generators, *results])
        self.scopes.pop()

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension_of(node.elt, generators=node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._visit_comprehension_of(node.elt, generators=node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension_of(node.elt, generators=node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension_of(node.key, node.value, generators=node.generators)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_all(node.decorator_list)
        self._bind(node.name)
        self._visit_function(node.args, node.body, node.returns)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node.args, [node.body], None)

    def _visit_function(self, args: ast.arguments, body: Iterable[ast.AST], returns: ast.expr | None) -> None:
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(a for a in (args.vararg, args.kwarg) if a)]
        self._visit_all([*args.defaults, *args.kw_defaults, *(arg.annotation for arg in every), returns])
        self.scopes.append({arg.arg for arg in every})
        self._visit_all(body)
        self.scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._bind(node.name)
        self.scopes.append(set())
        self._visit_all(node.body)
        self.scopes.pop()

    def visit_alias(self, node: ast.alias) -> None:
        self._bind((node.asname or node.name).split(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self._bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self._bind(node.rest)
