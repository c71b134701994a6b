//! Another takes the place of a primary that dies.

use super::{Node, Redis, Reply, node::wait_until};

impl Redis {
    /// Of Sentinel: kill the primary, wait until a replica has its place, and start it again as a replica of that one.
    pub(crate) fn promote(&self) {
        let (primary, replicas) = self.roles();
        primary.kill();
        self.promoted(primary, &replicas);
    }

    /// The same, and what happens `meanwhile` reaches the primary only: it is forgotten with the promotion.
    pub(crate) fn promote_behind(&self, meanwhile: impl FnOnce()) {
        let (primary, replicas) = self.roles();
        replicas.iter().for_each(|replica| replica.stop());
        // What is on its way to them already they would read when they go on; what comes later they will not.
        primary.command(&["CLIENT", "KILL", "TYPE", "replica"]);
        meanwhile();
        primary.kill();
        replicas.iter().for_each(|replica| replica.go_on());
        self.promoted(primary, &replicas);
    }

    fn roles(&self) -> (&Node, Vec<&Node>) {
        let servers = self.nodes().filter(|(name, _)| !name.starts_with("sentinel")).map(|(_, node)| node);
        let (primaries, replicas): (Vec<&Node>, Vec<&Node>) = servers.partition(|server| server.is_primary());
        assert_eq!((primaries.len(), replicas.len()), (1, 2), "one is the primary of all");
        (primaries[0], replicas)
    }

    fn promoted(&self, before: &Node, replicas: &[&Node]) {
        wait_until("a replica is promoted", || replicas.iter().any(|replica| replica.is_primary()));
        // Until they do, one that comes back would be taken for the primary that it was.
        wait_until("all sentinels know of it", || self.agreed().is_some_and(|primary| primary.port() != before.port()));
        before.restart();
        wait_until("it has both its replicas", || {
            self.agreed().is_some_and(|primary| {
                let replication = primary.command(&["INFO", "replication"]);
                replication.as_text().is_some_and(|info| info.matches("state=online").count() == 2)
            })
        });
    }

    /// The primary that all sentinels name, if they do.
    fn agreed(&self) -> Option<&Node> {
        let ask = |sentinel: &Node| sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "backsync"]);
        let sentinels = self.nodes().filter(|(name, _)| name.starts_with("sentinel"));
        let named: Vec<Reply> = sentinels.map(|(_, sentinel)| ask(sentinel)).collect();
        let Reply::List(address) = &named[0] else { panic!("{named:?}") };
        let port: u16 = address[1].as_text().expect("a port").parse().expect("a number");
        let (_, primary) = self.nodes().find(|(_, node)| node.port() == port).expect("one of these");
        named.iter().all(|other| *other == named[0]).then_some(primary)
    }

    /// The primaries of a cluster.
    pub(crate) fn primaries(&self) -> Vec<&Node> {
        self.nodes().map(|(_, node)| node).filter(|node| node.is_primary()).collect()
    }

    /// Of a cluster: kill one of the primaries, wait until its replica has its place, and start it again as a replica.
    pub(crate) fn fail_over(&self, primary: &Node) {
        primary.kill();
        let others = || self.nodes().map(|(_, node)| node).filter(|node| node.port() != primary.port());
        wait_until("a replica is promoted", || others().filter(|node| node.is_primary()).count() == 3);
        primary.restart();
        wait_until("the cluster is whole", || self.nodes().all(|(_, node)| node.knows_a_whole_cluster()));
    }
}

impl Node {
    /// Not while it is reading what another has.
    fn is_primary(&self) -> bool {
        self.says(&["INFO", "replication"], "role:master")
    }

    fn knows_a_whole_cluster(&self) -> bool {
        self.says(&["CLUSTER", "INFO"], "cluster_state:ok")
            && self.says(&["CLUSTER", "NODES"], "connected")
            && !self.says(&["CLUSTER", "NODES"], "fail")
            && (self.is_primary() || self.says(&["INFO", "replication"], "master_link_status:up"))
    }

    fn says(&self, words: &[&str], what: &str) -> bool {
        self.try_command(words).is_ok_and(|reply| reply.as_text().is_some_and(|text| text.contains(what)))
    }
}
