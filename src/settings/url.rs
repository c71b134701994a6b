//! The part that the URLs of stores and buses share: a scheme that this build has, has not, or never heard of.

use super::nearest::nearest;

/// Schemes that are planned for a store or a bus and not in this build.
const KNOWN_ELSEWHERE: [&str; 2] = ["postgres", "postgresql"];

/// A URL that opens nothing here. Messages name schemes only, never what follows: that may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is known, but this build is without it.
    #[error("`{scheme}:` is not in this build, which has {available}")]
    NotBuilt {
        /// The scheme that was asked for.
        scheme: String,
        /// The forms of URL that this build has.
        available: &'static str,
    },
    /// The scheme is not known.
    #[error("`{scheme}:` is not known{}, this build has {available}", meant(.nearest))]
    UnknownScheme {
        /// The scheme that was asked for.
        scheme: String,
        /// The scheme of this build that is most like it.
        nearest: Option<&'static str>,
        /// The forms of URL that this build has.
        available: &'static str,
    },
    /// The scheme is there, the rest is not as it should be.
    #[error("{problem}, this build has {available}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
        /// The forms of URL that this build has.
        available: &'static str,
    },
}

fn meant(nearest: &Option<&'static str>) -> String {
    nearest.map(|scheme| format!(", did you mean `{scheme}:`")).unwrap_or_default()
}

/// Cut `url` into its scheme and what follows the colon.
///
/// # Errors
/// [`UrlError::Malformed`] where there is no colon.
pub(super) fn split<'a>(url: &'a str, available: &'static str) -> Result<(&'a str, &'a str), UrlError> {
    url.split_once(':').ok_or(UrlError::Malformed { problem: "a URL begins with a scheme and a colon", available })
}

/// The error for a scheme that is none of `built`.
pub(super) fn not_here(scheme: &str, built: &[&'static str], available: &'static str) -> UrlError {
    let scheme = scheme.to_owned();
    if KNOWN_ELSEWHERE.contains(&scheme.as_str()) {
        return UrlError::NotBuilt { scheme, available };
    }
    let nearest = nearest(&scheme, built.iter().copied());
    UrlError::UnknownScheme { scheme, nearest, available }
}
