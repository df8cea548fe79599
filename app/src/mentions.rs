//! Whom a message mentions.

/// The user names that stand in a text behind an `@`.
pub fn mentions(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in body.match_indices('@') {
        if body[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let name: String = body[at + 1..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let name = name.trim_end_matches(['.', '-']).to_owned();
        if !name.is_empty() && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
