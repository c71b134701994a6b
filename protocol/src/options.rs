//! How something is to be done that is asked for: the `options` of a request.

use crate::{
    conflict::{ConflictPolicy, Side},
    error::{ErrorCode, ErrorObject},
    event::Method,
    json::{self, Members, Raw},
    position::Revision,
    query::refuse_others,
};

/// The `options` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of a read: also listen to what was read. Default true.
    pub listen: bool,
    /// Of an upsert: the record takes the place of the whole stored one. Default false.
    pub replace: bool,
    /// Of a write: what decides where the record is not as the writer knew it. Default: the model's.
    pub policy: Option<ConflictPolicy>,
    /// Of a write of one record: the revision that it was made from, in the place of the record's `_rev`.
    pub base: Option<Revision>,
    /// Of a write: whose value a merge takes where both sides changed one.
    pub prefer: Option<Side>,
    /// Of an upsert: the reply names its records and their revisions, and does not bear the whole of them. Default false.
    pub minimal: bool,
}

impl Options {
    const DEFAULT: Self = Self { listen: true, replace: false, policy: None, base: None, prefer: None, minimal: false };

    /// Read the `options` of a request for `method`.
    ///
    /// # Errors
    /// `invalid_options` for what is no object or has a wrong value, `unknown_member`.
    pub fn parse(options: Option<Raw<'_>>, method: Method) -> Result<Self, ErrorObject> {
        let mut parsed = Self::DEFAULT;
        let Some(options) = options else { return Ok(parsed) };
        let invalid = |message: String| ErrorObject::new(ErrorCode::InvalidOptions, message);
        let members = Members::parse(options.get())
            .map_err(|_| invalid(format!("options is an object, not {}", json::excerpt(options.get()))))?;
        let known: &[&str] = match method {
            Method::Read => &["listen"],
            Method::Upsert => &["replace", "policy", "base", "prefer", "return"],
            Method::Delete => &["policy", "base", "prefer"],
            Method::Subscribe | Method::Unsubscribe => &[],
        };
        refuse_others(&members, known, format_args!("the options of {}", method.name()))?;
        for (name, value) in &members.0 {
            let wrong = |right: &str| invalid(format!("{name} is {right}, not {}", json::excerpt(value.get())));
            let flag = || match value.get() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(wrong("true or false")),
            };
            let text = json::string(*value);
            match name.as_ref() {
                "listen" => parsed.listen = flag()?,
                "replace" => parsed.replace = flag()?,
                "policy" => {
                    let policy = text.and_then(|text| ConflictPolicy::parse(&text));
                    let names = ConflictPolicy::ALL.map(ConflictPolicy::name).join(", ");
                    parsed.policy = Some(policy.ok_or_else(|| wrong(&format!("one of {names}")))?);
                }
                "return" => {
                    parsed.minimal = match text.as_deref() {
                        Some("minimal") => true,
                        Some("representation") => false,
                        _ => return Err(wrong("minimal or representation")),
                    }
                }
                "prefer" => {
                    let side = text.and_then(|text| Side::parse(&text));
                    parsed.prefer = Some(side.ok_or_else(|| wrong("client or server"))?);
                }
                _ => {
                    let base = value.get().parse().map_err(|_| wrong("a whole number, as a record bore it in _rev"))?;
                    parsed.base = Some(Revision(base));
                }
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_their_method() {
        let options =
            |text, method| Options::parse(Some(serde_json::from_str(text).unwrap()), method).map_err(|e| e.code);
        assert!(!options(r#"{"listen":false}"#, Method::Read).unwrap().listen);
        let write = options(r#"{"replace":true,"policy":"merge","prefer":"server","base":7}"#, Method::Upsert).unwrap();
        assert_eq!((write.replace, write.policy), (true, Some(ConflictPolicy::Merge)));
        assert_eq!((write.prefer, write.base), (Some(Side::Server), Some(Revision(7))));
        assert_eq!(options(r#"{"replace":true}"#, Method::Read), Err(ErrorCode::UnknownMember));
        for bad in [r#"{"listen":1}"#, "[]"] {
            assert_eq!(options(bad, Method::Read), Err(ErrorCode::InvalidOptions));
        }
        for bad in
            [r#"{"policy":"mine"}"#, r#"{"policy":1}"#, r#"{"prefer":"me"}"#, r#"{"base":"7"}"#, r#"{"base":-1}"#]
        {
            assert_eq!(options(bad, Method::Upsert), Err(ErrorCode::InvalidOptions));
        }
    }
}
