//! Each Redis that the other tests stand on is what they take it for.

use crate::redis::{Options, Redis, Reply};
use std::{thread, time::Duration};

fn text(reply: &str) -> Reply {
    Reply::Text(reply.to_owned())
}

#[test]
fn what_a_single_redis_was_told_always_to_keep_is_there_after_a_kill() {
    let redis = Redis::start(Options::single().append("always"));
    redis.command(&["SET", "a", "1"]);
    redis.kill();
    assert!(redis.node("primary").try_command(&["PING"]).is_err());
    redis.restart();
    assert_eq!(redis.command(&["GET", "a"]), text("1"));
    redis.kill();
    redis.restart();
    assert_eq!(redis.command(&["GET", "a"]), text("1"));
}

#[test]
fn what_is_not_appended_is_gone_after_a_kill() {
    let redis = Redis::start(Options::single().append("no"));
    redis.command(&["SET", "a", "1"]);
    redis.kill();
    redis.restart();
    assert_eq!(redis.command(&["GET", "a"]), Reply::Nothing);
}

#[test]
fn a_stopped_redis_answers_when_it_goes_on() {
    let redis = Redis::start(Options::single());
    redis.stop();
    thread::scope(|scope| {
        let asked = scope.spawn(|| redis.command(&["PING"]));
        redis.go_on();
        assert_eq!(asked.join().unwrap(), text("PONG"));
    });
}

#[test]
fn a_shared_redis_has_a_database_for_each() {
    let redis = Redis::shared();
    let databases = [redis.database(), redis.database()];
    assert_ne!(databases[0], databases[1]);
    let number = databases[1].rsplit_once('/').unwrap().1;
    assert_eq!(redis.command(&["SELECT", number]), text("OK"));
}

#[test]
fn a_user_may_write_and_not_administrate() {
    let redis = Redis::start(Options::single().user("somebody", "of-mine"));
    assert!(redis.url().starts_with("redis://somebody:of-mine@127.0.0.1:"), "{}", redis.url());
    let dry_run = |words: &[&str]| redis.command(&[&["ACL", "DRYRUN", "somebody"], words].concat());
    assert_eq!(dry_run(&["SET", "a", "1"]), text("OK"));
    assert_ne!(dry_run(&["CONFIG", "SET", "save", ""]), text("OK"));
}

#[test]
fn a_redis_of_tls_has_an_authority_and_no_other_way_in_from_outside() {
    let redis = Redis::start(Options::tls());
    let authority = redis.folder().join("ca.pem");
    assert!(authority.exists() && redis.url().starts_with("rediss://127.0.0.1:"), "{}", redis.url());
    assert_eq!(redis.command(&["CONFIG", "GET", "port"]), Reply::List(vec![text("port"), text("0")]));
    redis.kill();
    redis.restart();
    assert_eq!(redis.command(&["PING"]), text("PONG"));
}

/// What of these the primary has that a new client would be led to.
fn values(redis: &Redis, keys: &[&str]) -> Vec<Reply> {
    let address = redis.node("sentinel-1").command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "backsync"]);
    let Reply::List(address) = address else { panic!("{address:?}") };
    let port: u16 = address[1].as_text().unwrap().parse().unwrap();
    let (_, primary) = redis.nodes().find(|(_, node)| node.port() == port).unwrap();
    keys.iter().map(|key| primary.command(&["GET", key])).collect()
}

#[test]
fn a_promoted_replica_has_what_it_heard_and_no_more() {
    let redis = Redis::start(Options::sentinel().down_after(Duration::from_millis(500)));
    redis.command(&["SET", "before", "1"]);
    redis.command(&["WAIT", "2", "0"]);
    redis.promote_behind(|| drop(redis.command(&["SET", "apart", "1"])));
    assert_eq!(values(&redis, &["before", "apart"]), [text("1"), Reply::Nothing]);
    // The one that was the primary is a replica now, and has forgotten it too.
    assert_eq!(redis.command(&["GET", "apart"]), Reply::Nothing);
    redis.promote();
    assert_eq!(values(&redis, &["before", "apart"]), [text("1"), Reply::Nothing]);
}

#[test]
fn what_did_not_reach_the_disk_is_gone() {
    // Else it may put off what it writes while it syncs what came before.
    let redis = Redis::start(Options::single().append("always"));
    redis.command(&["SET", "a", "1"]);
    redis.command(&["SET", "b", "1"]);
    redis.kill();
    redis.forget(1);
    redis.restart();
    assert_eq!(redis.command(&["GET", "a"]), text("1"));
    assert_eq!(redis.command(&["GET", "b"]), Reply::Nothing);
}

#[test]
fn a_cluster_has_three_primaries_also_after_one_died() {
    let redis = Redis::start(Options::cluster().down_after(Duration::from_millis(1000)));
    assert_eq!(redis.url().matches("127.0.0.1:").count(), 6);
    assert_eq!(redis.primaries().len(), 3);
    redis.nodes().for_each(|(name, node)| assert_eq!(node.info("cluster", "cluster_enabled"), "1", "{name}"));
    redis.fail_over(redis.primaries()[0]);
    assert_eq!(redis.primaries().len(), 3);
}
