//! The word that was probably meant.

/// How alike two words must be, from 0 to 1, for one to be offered for the other.
const ALIKE: f64 = 0.6;

/// The one of `words` that is most like `given`, where any is like it at all.
pub(super) fn nearest<'a>(given: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words
        .into_iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(given, word), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_word_is_offered_and_a_far_one_is_not() {
        let words = ["sqlite", "memory"];
        assert_eq!(nearest("sqllite", words), Some("sqlite"));
        assert_eq!(nearest("memroy", words), Some("memory"));
        assert_eq!(nearest("mongodb", words), None);
    }
}
