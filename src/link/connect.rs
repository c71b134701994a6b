//! Connections to each kind of address.

use super::{Address, Host, RESPONSE, Topology};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
    aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use std::time::Duration;
use tokio::sync::Mutex;

/// So long the making of a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection that many use at once; cheap to clone.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(Box<ClusterConnection>),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Connection {
    /// Subscribe to channels, of their slots in a cluster. Done when it is confirmed.
    pub(crate) async fn subscribe(&mut self, channels: &[Vec<u8>]) -> RedisResult<()> {
        match self {
            Self::One(connection) => connection.subscribe(channels).await,
            Self::Cluster(connection) => {
                // Those of one command have to be of one slot.
                for channel in channels {
                    connection.ssubscribe(channel).await?;
                }
                Ok(())
            }
        }
    }

    /// The opposite.
    pub(crate) async fn unsubscribe(&mut self, channels: &[Vec<u8>]) -> RedisResult<()> {
        match self {
            Self::One(connection) => connection.unsubscribe(channels).await,
            Self::Cluster(connection) => {
                for channel in channels {
                    connection.sunsubscribe(channel).await?;
                }
                Ok(())
            }
        }
    }

    /// Ask for a sign of life.
    pub(crate) async fn ping(&mut self) -> RedisResult<()> {
        match self {
            Self::One(connection) => redis::cmd("PING").query_async(connection).await,
            // It looks after its connections by itself.
            Self::Cluster(_) => Ok(()),
        }
    }
}

/// Makes connections to an address.
pub(super) struct Connector {
    address: Address,
    certificates: Option<TlsCertificates>,
    /// Asks the Sentinels, whose answers it remembers.
    sentinels: Option<Mutex<SentinelClient>>,
}

impl Connector {
    /// Nothing is connected yet.
    pub(super) fn new(address: &Address) -> RedisResult<Self> {
        let certificates = match &address.tls {
            None => None,
            Some(tls) => {
                // Whoever comes second finds it set.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let root_cert = tls.authority.as_ref().map(std::fs::read).transpose().map_err(|error| {
                    let path = tls.authority.as_deref().unwrap_or_else(|| "".as_ref()).display();
                    RedisError::from((
                        ErrorKind::InvalidClientConfig,
                        "cannot read the trusted certificates",
                        format!("{path}: {error}"),
                    ))
                })?;
                Some(TlsCertificates { client_tls: None, root_cert })
            }
        };
        let mut connector = Self { address: address.clone(), certificates, sentinels: None };
        if let Topology::Sentinel { service } = &address.topology {
            let hosts = address.hosts.iter().map(|host| connector.place(host));
            let mut builder = SentinelClientBuilder::new(hosts, service, SentinelServerType::Master)?
                .set_client_to_redis_db(address.database)
                .set_client_to_redis_protocol(ProtocolVersion::RESP3);
            if let Some(certificates) = &connector.certificates {
                builder = builder
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates.clone());
            }
            if let Some(name) = &address.username {
                builder = builder.set_client_to_redis_username(name);
            }
            if let Some(password) = &address.password {
                builder = builder.set_client_to_redis_password(password);
            }
            connector.sentinels = Some(Mutex::new(builder.build()?));
        }
        Ok(connector)
    }

    /// Make a connection. `sender` is given what comes over it without being asked for.
    pub(super) async fn connect(&self, sender: Option<impl AsyncPushSender>) -> RedisResult<Connection> {
        let mut config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(RESPONSE));
        match (&self.address.topology, &self.sentinels) {
            (Topology::Cluster, _) => {
                let infos =
                    self.address.hosts.iter().map(|host| self.info_of(host)).collect::<RedisResult<Vec<_>>>()?;
                let mut builder = ClusterClient::builder(infos)
                    .connection_timeout(CONNECT)
                    .response_timeout(RESPONSE)
                    .overall_response_timeout(Some(2 * RESPONSE))
                    .use_protocol(ProtocolVersion::RESP3);
                if let Some(name) = &self.address.username {
                    builder = builder.username(name);
                }
                if let Some(password) = &self.address.password {
                    builder = builder.password(password);
                }
                if let Some(certificates) = &self.certificates {
                    builder = builder.tls(TlsMode::Secure).certs(certificates.clone());
                }
                if let Some(sender) = sender {
                    builder = builder.push_sender(sender);
                }
                Ok(Connection::Cluster(Box::new(builder.build()?.get_async_connection().await?)))
            }
            (_, sentinels) => {
                if let Some(sender) = sender {
                    config = config.set_push_sender(sender);
                }
                let client = match sentinels {
                    Some(sentinels) => {
                        let asking = async { sentinels.lock().await.async_get_client().await };
                        tokio::time::timeout(RESPONSE, asking).await.map_err(|_| timeout())??
                    }
                    None => {
                        let info = self.info_of(&self.address.hosts[0])?;
                        match &self.certificates {
                            Some(certificates) => Client::build_with_tls(info, certificates.clone())?,
                            None => Client::open(info)?,
                        }
                    }
                };
                Ok(Connection::One(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
        }
    }

    /// What each primary says of itself.
    pub(super) async fn info(&self, connection: &mut Connection) -> RedisResult<Vec<String>> {
        self.all(connection, redis::cmd("INFO")).await
    }

    /// What each primary says to a command.
    pub(super) async fn all(&self, connection: &mut Connection, command: Cmd) -> RedisResult<Vec<String>> {
        match connection {
            Connection::One(connection) => Ok(vec![command.query_async(connection).await?]),
            Connection::Cluster(connection) => {
                let primaries =
                    RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::Special)));
                let answers = connection.route_command(command, primaries).await?;
                let answers = answers.into_map_iter().map_err(|_| {
                    RedisError::from((ErrorKind::UnexpectedReturnType, "the nodes of the cluster do not answer"))
                })?;
                answers.map(|(_, answer)| Ok(redis::from_redis_value(answer)?)).collect()
            }
        }
    }

    fn place(&self, Host { name, port }: &Host) -> ConnectionAddr {
        match &self.certificates {
            None => ConnectionAddr::Tcp(name.clone(), *port),
            Some(_) => ConnectionAddr::TcpTls { host: name.clone(), port: *port, insecure: false, tls_params: None },
        }
    }

    fn info_of(&self, host: &Host) -> RedisResult<ConnectionInfo> {
        let mut settings =
            RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_db(self.address.database);
        if let Some(name) = &self.address.username {
            settings = settings.set_username(name);
        }
        if let Some(password) = &self.address.password {
            settings = settings.set_password(password);
        }
        Ok(self.place(host).into_connection_info()?.set_redis_settings(settings))
    }
}

fn timeout() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
