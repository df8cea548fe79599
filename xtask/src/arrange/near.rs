//! Functions that look alike, one after the other: who compresses says of the next but what is different.

use super::Function;
use std::collections::HashMap;

/// So many bytes in a row make a trait that functions share.
const IN_A_ROW: usize = 4;
/// What more functions share than this tells none from the others.
const COMMON: usize = 3000;

/// The functions that are the `first` of their kind: by type, so that the list of types is short as well, and each
/// followed by the one that shares most with it.
pub fn order(functions: &[Function], first: &[usize]) -> Vec<usize> {
    let mut left: Vec<_> = (0..functions.len()).filter(|at| first[*at] == *at).collect();
    // The largest has most to share.
    left.sort_by_key(|at| (functions[*at].kind, usize::MAX - functions[*at].code.len()));
    let traits: Vec<_> = functions.iter().map(traits).collect();
    let mut sharing: HashMap<u32, Vec<usize>> = HashMap::new();
    for function in &left {
        for shared in &traits[*function] {
            sharing.entry(*shared).or_default().push(*function);
        }
    }

    let mut placed = vec![false; functions.len()];
    let mut order = Vec::new();
    for start in left {
        let mut next = Some(start).filter(|start| !placed[*start]);
        while let Some(function) = next {
            placed[function] = true;
            order.push(function);
            let mut score: HashMap<usize, f64> = HashMap::new();
            for sharing in traits[function].iter().map(|shared| &sharing[shared]) {
                // What few share says more.
                let weight = 1.0 / (sharing.len() as f64).sqrt();
                let of_its_kind =
                    |other: &&usize| !placed[**other] && functions[**other].kind == functions[function].kind;
                for other in sharing.iter().filter(|_| sharing.len() <= COMMON).filter(of_its_kind) {
                    *score.entry(*other).or_default() += weight;
                }
            }
            let of_all = |(other, score): &(usize, f64)| score / (traits[*other].len() as f64 + 8.0).sqrt();
            next = score
                .into_iter()
                .max_by(|a, b| of_all(a).total_cmp(&of_all(b)).then(b.0.cmp(&a.0)))
                .map(|(nearest, _)| nearest);
        }
    }
    order
}

/// What is compared: its bytes, some in a row, and whom it calls.
fn traits(function: &Function) -> Vec<u32> {
    // FNV: spread, and the same at every build.
    let hash = |seed, bytes: &[u8]| {
        bytes.iter().fold(seed, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    };
    let rows = function.code.windows(IN_A_ROW).map(|row| hash(0x811c_9dc5, row));
    let calls = function.calls.iter().map(|call| hash(0, &call.to_le_bytes()));
    let mut traits: Vec<_> = rows.chain(calls).collect();
    traits.sort_unstable();
    traits.dedup();
    traits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_stand_by_type_and_beside_those_that_they_resemble() {
        let function = |kind, code: &str| Function { kind, code: code.into(), calls: vec![] };
        let functions = [
            function(1, "open the door, then ask"),
            function(0, "something short"),
            function(1, "a window was broken by a ball"),
            function(1, "open the door, then go"),
            function(1, "a window was broken by a cat"),
            function(1, "open the door, then ask"),
        ];
        assert_eq!(order(&functions, &[0, 1, 2, 3, 4, 0]), [1, 2, 4, 0, 3]);
    }
}
