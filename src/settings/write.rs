//! Settings as a TOML file.

use super::Settings;

impl Settings {
    /// The settings in force as TOML, every key with its value; passwords of URLs are left out.
    ///
    /// Loaded again, it gives the same settings, as long as they have no password. TOML's numbers end at 2^63 - 1, so
    /// that is true of every number that was loaded; one past it, which only code can set, would be refused.
    pub fn to_toml(&self) -> String {
        let mut shown = self.clone();
        shown.store.url = shown.store.url.without_password();
        shown.bus.url = shown.bus.url.without_password();
        toml::to_string(&shown).expect("settings are tables of plain values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ModelSettings;
    use backsync_protocol::ConflictPolicy;
    use std::{num::NonZeroU32, path::Path};

    fn reload(settings: &Settings) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("written.toml");
        std::fs::write(&file, settings.to_toml()).unwrap();
        Settings::load(Some(Path::new(&file)), std::iter::empty(), &[]).unwrap()
    }

    #[test]
    fn written_settings_load_to_the_same() {
        assert_eq!(reload(&Settings::default()), Settings::default());

        let mut settings = Settings::default();
        settings.server.allowed_origins = vec!["https://a.example".into(), "*".into()];
        settings.store.url = "sqlite:/tmp/a \"b\"\\c".parse().unwrap();
        settings.log.level = "info,backsync=debug".into();
        settings.models.0.insert("ServerLog".into(), ModelSettings::default());
        let max_records = NonZeroU32::new(5);
        settings.models.0.insert("a.b".into(), ModelSettings { max_records, ..ModelSettings::default() });
        let references = vec!["spouse=User".into(), "x\"y=Z".into()];
        let chat = ModelSettings {
            policy: ConflictPolicy::LatestWins,
            ephemeral: true,
            references,
            ..ModelSettings::default()
        };
        settings.models.0.insert("Chat".into(), chat);
        assert_eq!(reload(&settings), settings);
    }
}
