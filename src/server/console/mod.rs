//! The log console: files that stand beside this one, as they are, within the binary.

macro_rules! assets {
    ($($name:literal,)*) => {
        /// Every file of the console and what is in it.
        const ASSETS: &[(&str, &[u8])] = &[$(($name, include_bytes!($name)),)*];
    };
}

assets! {
    "ansi.js",
    "app.js",
    "backoff.js",
    "chips.js",
    "clipboard.js",
    "connection.js",
    "detail.js",
    "empty.js",
    "favicon.svg",
    "format.js",
    "frame.js",
    "hint.js",
    "hook.js",
    "index.html",
    "keyboard.js",
    "levels.js",
    "list.css",
    "list.js",
    "models.js",
    "paint.js",
    "pipe.js",
    "query.js",
    "rate.js",
    "sequence.js",
    "status.js",
    "store.js",
    "style.css",
    "subscription.js",
    "tail.js",
    "theme.js",
    "view.js",
}

/// A file of the console.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) body: &'static [u8],
}

/// The file of this name.
pub(super) fn asset(name: &str) -> Option<Asset> {
    let (_, body) = ASSETS.iter().find(|(known, _)| *known == name)?;
    let content_type = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Some(Asset { content_type, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_beside_this_one_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/console");
        let mut files: Vec<String> =
            folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.retain(|file| file != "mod.rs");
        files.sort();
        assert_eq!(files, ASSETS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        for file in files {
            assert!(asset(&file).is_some(), "{file} has no content type");
        }
        assert!(asset("mod.rs").is_none());
    }
}
