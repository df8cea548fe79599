//! Puts the functions of what is sent in an order in which they compress well, each once: the compiler makes thousands
//! of small ones that differ in a type alone. What runs is the same; a twelfth less is sent.

mod alike;
mod near;

use anyhow::{Context, Result, anyhow};
use std::convert::Infallible;
use wasm_encoder::{
    CodeSection, FunctionSection,
    reencode::{self, Reencode},
};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Operator, Parser, Payload, TypeRef};

/// What is compared of a function.
struct Function {
    /// The number of its type.
    kind: u32,
    /// Its bytes, but for whom it calls.
    code: Vec<u8>,
    /// Whom it calls.
    calls: Vec<u32>,
}

/// The same module, arranged.
pub fn arranged(module: &[u8]) -> Result<Vec<u8>> {
    let (imported, functions) = functions_of(module)?;
    let first = alike::first(&functions, imported);
    let order = near::order(&functions, &first);
    let mut place = vec![0; functions.len()];
    for (at, function) in (imported..).zip(&order) {
        place[*function] = at;
    }
    // Before its own functions a module counts those that it imports.
    let numbers = (0..imported).chain(first.iter().map(|first| place[*first])).collect();
    let mut out = wasm_encoder::Module::new();
    Arrange { numbers, order }
        .parse_core_module(&mut out, Parser::new(0), module)
        .map_err(|error| anyhow!("{error}"))?;
    Ok(out.finish())
}

/// How many functions are imported, and the others.
fn functions_of(module: &[u8]) -> Result<(u32, Vec<Function>)> {
    let (mut imported, mut kinds, mut functions) = (0, Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(section) => kinds = section.into_iter().collect::<Result<_, _>>()?,
            Payload::CodeSectionEntry(body) => {
                let kind = *kinds.get(functions.len()).context("a function without a type")?;
                let mut operators = body.get_operators_reader()?;
                let mut at = operators.original_position();
                let start = body.range().start;
                let bytes = |from, to| &body.as_bytes()[(from - start) as usize..(to - start) as usize];
                let mut function = Function { kind, code: bytes(start, at).to_vec(), calls: Vec::new() };
                while !operators.eof() {
                    let operator = operators.read()?;
                    let end = operators.original_position();
                    let shown = if let Operator::Call { function_index } = operator {
                        function.calls.push(function_index);
                        at + 1
                    } else {
                        end
                    };
                    function.code.extend_from_slice(bytes(at, shown));
                    at = end;
                }
                functions.push(function);
            }
            _ => {}
        }
    }
    Ok((imported, functions))
}

struct Arrange {
    /// What each function is called now.
    numbers: Vec<u32>,
    /// The functions that stay, imported ones not counted.
    order: Vec<usize>,
}

type Reencoded = Result<(), reencode::Error<Infallible>>;

impl Reencode for Arrange {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.numbers[function as usize])
    }

    fn parse_function_section(&mut self, out: &mut FunctionSection, section: FunctionSectionReader<'_>) -> Reencoded {
        let kinds = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for function in &self.order {
            out.function(kinds[*function]);
        }
        Ok(())
    }

    fn parse_code_section(&mut self, out: &mut CodeSection, section: CodeSectionReader<'_>) -> Reencoded {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for function in self.order.clone() {
            self.parse_function_body(out, bodies[function].clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{ExportKind, ExportSection, ImportSection, Module, TypeSection};

    /// Each function leaves a number and calls another; all are exported by their number.
    fn module(functions: &[(i32, u32)]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("other", "one", wasm_encoder::EntityType::Function(0));
        let (mut kinds, mut exports, mut code) = (FunctionSection::new(), ExportSection::new(), CodeSection::new());
        for (at, (number, callee)) in functions.iter().enumerate() {
            kinds.function(0);
            exports.export(&at.to_string(), ExportKind::Func, at as u32 + 1);
            let mut body = wasm_encoder::Function::new([]);
            body.instructions().i32_const(*number).drop().call(*callee).end();
            code.function(&body);
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&kinds).section(&exports).section(&code);
        module.finish()
    }

    /// What a function does: its numbers, along its calls to the imported one.
    fn does(module: &[u8], name: &str) -> Vec<Vec<u8>> {
        let (imported, functions) = functions_of(module).expect("a module");
        let exports = Parser::new(0).parse_all(module).find_map(|payload| match payload.expect("a module") {
            Payload::ExportSection(section) => Some(section),
            _ => None,
        });
        let export = exports.into_iter().flatten().flatten().find(|export| export.name == name).expect("exported");
        let (mut at, mut done) = (export.index, Vec::new());
        while at >= imported {
            let function = &functions[(at - imported) as usize];
            done.push(function.code.clone());
            at = function.calls[0];
        }
        done
    }

    #[test]
    fn every_function_does_what_it_did_and_those_alike_are_one() {
        // The second and the fourth are the same, and so the third and the fifth, which call them.
        let plain = module(&[(500, 0), (7, 0), (8, 2), (7, 0), (8, 4), (8, 1)]);
        let arranged = arranged(&plain).expect("arranged");
        for name in ["0", "1", "2", "3", "4", "5"] {
            assert_eq!(does(&plain, name), does(&arranged, name), "{name}");
        }
        assert_eq!(functions_of(&arranged).expect("a module").1.len(), 4);
    }
}
