//! Takes out what is in the program and never runs.

use anyhow::{Context, Result};
use std::collections::HashSet;
use walrus::{
    FunctionId, FunctionKind, Module, ModuleConfig,
    ir::{Call, Unreachable, Visitor, dfs_in_order},
};

/// Leptos can take over a page at once or piece by piece, or what it has made of a template. A program chooses where it
/// begins (`frontend`: at once), but every view refers to its functions for all of them: a fifteenth of the whole.
const NEVER: [&str; 2] = ["hydrate_async", "hydrate_from_template"];

/// Empties the functions that never run. What only they needed falls away when the program is written, `named`: with
/// the names of the others. `whole`: the program before chunks were cut out, which call what is left by other means.
pub fn emptied(program: &[u8], whole: &[u8], named: bool) -> Result<Module> {
    let mut config = ModuleConfig::new();
    config.strict_validate(false).generate_name_section(named).generate_producers_section(named);
    let mut module = config.parse(program).context("the rest of the program")?;
    let whole = config.parse(whole).context("the whole program")?;
    let name = |module: &Module, id| module.funcs.get(id).name.clone();
    let never: HashSet<_> = never_run(&whole).into_iter().map(|id| name(&whole, id)).collect();
    let mut emptied = never_run(&module);
    emptied.retain(|id| never.contains(&name(&module, *id)));
    for id in emptied {
        let FunctionKind::Local(function) = &mut module.funcs.get_mut(id).kind else { continue };
        let entry = function.entry_block();
        function.block_mut(entry).instrs = vec![(Unreachable {}.into(), Default::default())];
    }
    Ok(module)
}

/// By their names. The compiler makes one function of several that do the same: what others call as well stays, and so
/// does what clears memory up, and what does to an attribute what making it does.
fn never_run(module: &Module) -> HashSet<FunctionId> {
    let named = |id| {
        let name = module.funcs.get(id).name.as_deref().unwrap_or_default();
        let shared = ["drop_in_place", "any_attribute"].iter().any(|kind| name.contains(kind));
        NEVER.iter().any(|never| name.contains(never)) && !shared
    };
    let mut found: HashSet<_> = module.funcs.iter_local().map(|(id, _)| id).filter(|id| named(*id)).collect();
    let mut called = Called(HashSet::new());
    for (id, function) in module.funcs.iter_local() {
        if !found.contains(&id) {
            dfs_in_order(&mut called, function, function.entry_block());
        }
    }
    found.retain(|id| !called.0.contains(id));
    found
}

struct Called(HashSet<FunctionId>);

impl<'a> Visitor<'a> for Called {
    fn visit_call(&mut self, call: &Call) {
        self.0.insert(call.func);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walrus::{FunctionBuilder, ModuleFunctions, ir::Instr};

    fn function(module: &mut Module, name: &str, calls: Option<FunctionId>) -> FunctionId {
        let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
        function.name(name.into());
        match calls {
            Some(other) => function.func_body().call(other),
            None => function.func_body().i32_const(7).drop(),
        };
        let id = function.finish(vec![], &mut module.funcs);
        module.exports.add(name, id);
        id
    }

    fn is_empty(funcs: &ModuleFunctions, name: &str) -> bool {
        let FunctionKind::Local(function) = &funcs.get(funcs.by_name(name).expect(name)).kind else { panic!("{name}") };
        matches!(function.block(function.entry_block()).instrs[..], [(Instr::Unreachable(_), _)])
    }

    #[test]
    fn what_never_runs_is_emptied_unless_something_else_calls_it() {
        let mut module = Module::default();
        let inner = function(&mut module, "view::hydrate_async::inner", None);
        function(&mut module, "view::hydrate_async", Some(inner));
        let shared = function(&mut module, "other::hydrate_async", None);
        function(&mut module, "view::hydrate", Some(shared));
        function(&mut module, "drop_in_place<hydrate_async>", None);

        let called = function(&mut module, "of a chunk::hydrate_async", None);
        let rest = module.emit_wasm();
        function(&mut module, "chunk", Some(called));

        let program = emptied(&rest, &module.emit_wasm(), true).expect("a program");
        let empty = |name| is_empty(&program.funcs, name);
        assert!(!empty("of a chunk::hydrate_async"), "what only a chunk calls");
        assert!(empty("view::hydrate_async") && empty("view::hydrate_async::inner"));
        assert!(!empty("other::hydrate_async") && !empty("view::hydrate") && !empty("drop_in_place<hydrate_async>"));
    }
}
