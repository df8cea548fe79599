//! Functions that do the same.

use super::Function;
use std::collections::HashMap;

/// For each function the first that does the same. `imported`: how many are counted before them.
pub fn first(functions: &[Function], imported: u32) -> Vec<usize> {
    let mut first: Vec<_> = (0..functions.len()).collect();
    loop {
        // Those that call the same, as far as is known, do the same.
        let mut known = HashMap::new();
        let found: Vec<_> = functions
            .iter()
            .enumerate()
            .map(|(at, function)| {
                let one =
                    |call: &u32| call.checked_sub(imported).map_or(*call, |own| imported + first[own as usize] as u32);
                let calls: Vec<_> = function.calls.iter().map(one).collect();
                *known.entry((function.kind, &function.code, calls)).or_insert(at)
            })
            .collect();
        if found == first {
            return first;
        }
        first = found;
    }
}
