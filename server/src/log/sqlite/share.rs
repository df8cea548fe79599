//! How the members of a group share its partitions.

use std::collections::BTreeMap;

/// Gives each partition to a member: as evenly as it goes, and nobody loses one that need not move.
///
/// `held` names each partition's present holder. No members: nobody gets anything.
pub(super) fn share(held: &[Option<u64>], members: &[u64]) -> Vec<Option<u64>> {
    if members.is_empty() {
        return vec![None; held.len()];
    }
    let each = held.len() / members.len();
    let mut one_more = held.len() % members.len();
    let mut counts: BTreeMap<u64, usize> = members.iter().map(|m| (*m, 0)).collect();
    let mut shared: Vec<Option<u64>> = held
        .iter()
        .map(|holder| {
            let holder = (*holder)?;
            let count = counts.get_mut(&holder)?;
            if *count == each && one_more > 0 {
                one_more -= 1;
            } else if *count >= each {
                return None;
            }
            *count += 1;
            Some(holder)
        })
        .collect();
    let mut free = members.iter().flat_map(|m| {
        let missing = each.saturating_sub(counts[m]);
        std::iter::repeat_n(*m, missing)
    });
    // Whoever already has one more is passed over; the rest of the odd ones go to those that have just their share.
    let mut odd = members.iter().filter(|m| counts[*m] <= each).take(one_more);
    for holder in shared.iter_mut().filter(|h| h.is_none()) {
        *holder = free.next().or_else(|| odd.next().copied());
    }
    shared
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::share;
    use proptest::prelude::*;

    #[test]
    fn one_member_has_all_and_a_second_takes_half_without_moving_the_rest() {
        let alone = share(&[None; 4], &[1]);
        assert_eq!(alone, [Some(1); 4]);
        let two = share(&alone, &[1, 2]);
        assert_eq!(two, [Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(share(&two, &[2]), [Some(2); 4]);
        assert_eq!(share(&two, &[]), [None; 4]);
    }

    proptest! {
        #[test]
        fn every_partition_has_one_holder_and_no_member_has_two_more_than_another(
            held in prop::collection::vec(prop::option::of(0u64..6), 1..40),
            members in prop::collection::btree_set(0u64..8, 1..8),
        ) {
            let members: Vec<u64> = members.into_iter().collect();
            let shared = share(&held, &members);
            let count = |m: &u64| shared.iter().filter(|h| **h == Some(*m)).count();
            let counts: Vec<usize> = members.iter().map(count).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), held.len());
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            prop_assert_eq!(share(&shared, &members), shared);
        }
    }
}
