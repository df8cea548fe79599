//! Short names for what the program takes from its script: they are in both, with sixteen random digits each.

use anyhow::{Result, anyhow};
use std::{collections::HashMap, convert::Infallible};
use wasm_encoder::{
    ImportSection,
    reencode::{self, Reencode},
};
use wasmparser::{ImportSectionReader, Parser};

/// The program and its script, in agreement. Names that the script does not have exactly once stay, and so do those of
/// other modules.
pub fn named(program: &[u8], script: &str) -> Result<(Vec<u8>, String)> {
    let (mut names, mut parts) = (HashMap::new(), Vec::new());
    // `        __wbg_focus_3acb0aad4483804c: function(arg0) {`
    for line in script.split_inclusive('\n') {
        let name = line.split_once(": function(").map(|(name, _)| name.trim_start());
        match name.filter(|name| name.starts_with("__wb") && script.matches(name).count() == 1) {
            Some(name) => {
                let short = format!("_{}", names.len());
                parts.push(line.replacen(name, &short, 1));
                names.insert(name.to_owned(), short);
            }
            None => parts.push(line.to_owned()),
        }
    }
    let mut out = wasm_encoder::Module::new();
    Short(names).parse_core_module(&mut out, Parser::new(0), program).map_err(|error| anyhow!("{error}"))?;
    Ok((out.finish(), parts.concat()))
}

struct Short(HashMap<String, String>);

impl Reencode for Short {
    type Error = Infallible;

    fn parse_import_section(
        &mut self,
        out: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        for import in section.into_imports() {
            let import = import?;
            let kind = self.entity_type(import.ty)?;
            out.import(import.module, self.0.get(import.name).map_or(import.name, String::as_str), kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::named;
    use wasm_encoder::{EntityType, ImportSection, Module, TypeSection};
    use wasmparser::{Parser, Payload};

    #[test]
    fn what_the_program_asks_for_the_script_has() {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        for name in ["__wbg_b_22", "memory", "__wbg_a_11", "__wbg_twice_33"] {
            imports.import("./script.js", name, EntityType::Function(0));
        }
        let mut module = Module::new();
        module.section(&types).section(&imports);
        let script = "{\n  __wbg_a_11: function(a) {\n  },\n  __wbg_b_22: function() {\n    b();\n  },\n  memory: m,\n  \
                      __wbg_twice_33: function() { __wbg_twice_33; }\n}";

        let (program, script) = named(&module.finish(), script).expect("named");
        assert_eq!(
            script,
            "{\n  _0: function(a) {\n  },\n  _1: function() {\n    b();\n  },\n  memory: m,\n  __wbg_twice_33: function() \
             { __wbg_twice_33; }\n}"
        );
        let asked = Parser::new(0).parse_all(&program).find_map(|payload| match payload.expect("a module") {
            Payload::ImportSection(section) => {
                Some(section.into_imports().map(|import| import.expect("one").name.to_owned()).collect::<Vec<_>>())
            }
            _ => None,
        });
        assert_eq!(asked.expect("imports"), ["_1", "memory", "_0", "__wbg_twice_33"]);
    }
}
