//! How a server is put together: by its settings, and by what somebody's own code has to say.

use super::{AppError, Backsync, parts};
use crate::{
    auth::{AllowAll, Authenticator, NoTokens, Policy},
    broker::{Broker, Handler, ModelRules, Parts},
    bus::{self, Bus},
    directory::{self, Directory},
    server::{Doors, Options},
    settings::Settings,
    store::{self, Store},
};
use backsync_protocol::{ErrorCode, ErrorObject, ModelName};
use std::{collections::HashMap, fmt, net::SocketAddr, sync::Arc};
use uuid::Uuid;

/// A server to be. Without a word it is the one that the program `backsync` runs without settings.
///
/// ```no_run
/// use backsync::{Backsync, broker::ModelRules, store::Memory};
///
/// # async fn example(chat: impl backsync::broker::Handler) -> Result<(), Box<dyn std::error::Error>> {
/// let server = Backsync::builder()
///     .store(Memory::default())
///     .model("Presence", ModelRules { ephemeral: true, ..ModelRules::default() })
///     .handler("ChatMessage", chat)
///     .listen(([127, 0, 0, 1], 9000))
///     .build()?;
/// server.run().await?;
/// # Ok(())
/// # }
/// ```
pub struct Builder {
    settings: Settings,
    listen: Option<SocketAddr>,
    store: Option<Arc<dyn Store>>,
    bus: Option<Arc<dyn Bus>>,
    directory: Option<Arc<dyn Directory>>,
    policy: Arc<dyn Policy>,
    authenticator: Arc<dyn Authenticator>,
    rules: HashMap<ModelName, ModelRules>,
    handlers: HashMap<ModelName, Arc<dyn Handler>>,
    /// The first thing that was wrong.
    wrong: Option<ErrorObject>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            listen: None,
            store: None,
            bus: None,
            directory: None,
            policy: Arc::new(AllowAll),
            authenticator: Arc::new(NoTokens),
            rules: HashMap::new(),
            handlers: HashMap::new(),
            wrong: None,
        }
    }
}

impl Builder {
    /// All settings at once, in the place of those so far. What is said in code goes before them, whatever comes first.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Where to listen, for a server of its own; port 0 takes a free one.
    #[must_use]
    pub fn listen(self, address: impl Into<SocketAddr>) -> Self {
        Self { listen: Some(address.into()), ..self }
    }

    /// Where records live, in the place of what the settings name.
    #[must_use]
    pub fn store(self, store: impl Store) -> Self {
        Self { store: Some(Arc::new(store)), ..self }
    }

    /// How other nodes hear of changes, in the place of what the settings name.
    #[must_use]
    pub fn bus(self, bus: impl Bus) -> Self {
        Self { bus: Some(Arc::new(bus)), ..self }
    }

    /// Where nodes that serve the same clients find each other's SockJS sessions, in the place of what the settings name.
    #[must_use]
    pub fn directory(self, directory: impl Directory) -> Self {
        Self { directory: Some(Arc::new(directory)), ..self }
    }

    /// Who may do what; without one, everybody may do everything.
    #[must_use]
    pub fn policy(self, policy: impl Policy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// Who somebody is; without one, nobody can say.
    #[must_use]
    pub fn authenticator(self, authenticator: impl Authenticator) -> Self {
        Self { authenticator: Arc::new(authenticator), ..self }
    }

    /// What holds for a model, in the place of what the settings say about it.
    #[must_use]
    pub fn model(mut self, name: &str, rules: ModelRules) -> Self {
        match ModelName::parse(name) {
            Ok(name) => drop(self.rules.insert(name, rules)),
            Err(error) => self.note(error),
        }
        self
    }

    /// The behaviour of a model; each has at most one.
    #[must_use]
    pub fn handler(mut self, model: &str, handler: impl Handler) -> Self {
        match ModelName::parse(model) {
            Ok(name) if self.handlers.contains_key(&name) => {
                self.note(ErrorObject::new(ErrorCode::InvalidModel, format!("the model {name} has two handlers")));
            }
            Ok(name) => drop(self.handlers.insert(name, Arc::new(handler))),
            Err(error) => self.note(error),
        }
        self
    }

    fn note(&mut self, error: ErrorObject) {
        self.wrong.get_or_insert(error);
    }

    /// Put it together. Nobody can come in before it is run or mounted; its own code can read and write at once.
    ///
    /// What happens by itself (records go with their session or their age) is done by a task of the tokio runtime that this is
    /// called in, and so ends with that.
    ///
    /// # Errors
    /// Where a setting or a name does not hold, or the store cannot be opened.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn build(self) -> Result<Backsync, AppError> {
        let Self { mut settings, listen, store, bus, directory, policy, authenticator, rules, handlers, wrong } = self;
        settings.server.listen = listen.unwrap_or(settings.server.listen);
        settings.check()?;
        if let Some(wrong) = wrong {
            return Err(AppError::Model(wrong));
        }
        let mut all_rules = parts::rules(&settings.models);
        all_rules.extend(rules);
        let (node, groups) = (Uuid::new_v4().to_string(), parts::groups(&all_rules));
        let (store, link, store_name) = match store {
            Some(store) => (store, None, "of the program".to_owned()),
            None => {
                let publishes = bus.is_none() && bus::open::is_stores(&settings);
                let node = store::open::Node { name: &node, groups: groups.clone(), publishes };
                let (store, link) = store::open::open(&settings.store, node)?;
                (store, link, settings.store.url.without_password().to_string())
            }
        };
        let options = Options {
            directory: directory.or_else(|| directory::open::open(link.as_ref())),
            ..parts::options(&settings)
        };
        let bus = match bus {
            Some(bus) => bus,
            None => bus::open::open(&settings, link, &node, groups)?,
        };
        let broker = Broker::new(Parts {
            store: store.clone(),
            bus,
            policy,
            authenticator,
            limits: parts::limits(&settings),
            rules: all_rules,
            handlers,
            clock: parts::now,
            workers: options.hubs(),
            linger: settings.presence.linger_s * 1000,
            lease: settings.presence.lease_s * 1000,
            heartbeat: settings.heartbeat.interval_s * 1000,
        });
        let doors = Doors::new(broker.clone(), options);
        Ok(Backsync::new(settings, store, store_name, broker, doors))
    }

    /// Put it together and run it until SIGINT or SIGTERM, as [`Backsync::run`].
    ///
    /// # Errors
    /// As for [`Self::build`] and [`Backsync::run`].
    pub async fn run(self) -> Result<(), AppError> {
        self.build()?.run().await
    }
}
