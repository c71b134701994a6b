use super::*;
use serde_json::json;
use std::fmt;
use tracing::{error, info, warn};
use tracing_subscriber::{layer::SubscriberExt, registry::Registry};

fn log(layer: ServerLogLayer, events: impl FnOnce()) {
    tracing::subscriber::with_default(Registry::default().with(layer), events);
}

fn lines_of(events: impl FnOnce()) -> Vec<Line> {
    let (layer, mut lines) = ServerLogLayer::new();
    log(layer, events);
    std::iter::from_fn(|| lines.try_next()).collect()
}

#[test]
fn an_event_becomes_a_line_whose_fields_keep_their_types() {
    let lines = lines_of(|| {
        let failure = std::io::Error::other("disk full");
        warn!(
            target: "backsync::store",
            model = "Todo",
            count = 9_007_199_254_740_993_i64,
            most = u64::MAX,
            vast = u128::MAX,
            small = -3_i128,
            ratio = 0.5,
            lost = f64::NAN,
            done = true,
            cause = &failure as &(dyn std::error::Error + 'static),
            shown = %"plain",
            list = ?[1, 2],
            r#type = "raw",
            "commit of {} failed", "Todo",
        );
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.level, line.target.as_str(), line.dropped), ("warn", "backsync::store", 0));
    assert_eq!(line.message, "commit of Todo failed");
    let expected = json!({
        "model": "Todo", "count": 9_007_199_254_740_993_i64, "most": u64::MAX, "vast": u128::MAX.to_string(), "small": -3,
        "ratio": 0.5, "lost": "NaN", "done": true, "cause": "disk full", "shown": "plain", "list": "[1, 2]", "type": "raw",
    });
    assert_eq!(Value::Object(line.fields.clone()), expected);
}

#[test]
fn fields_do_not_pass_for_what_every_line_has() {
    let lines = lines_of(|| error!(time = "never", level = "calm", target = 7, other = 1, "it broke"));
    let line = &lines[0];
    assert_eq!(
        line.to_json(),
        json!({ "time": line.time, "level": "error", "target": line.target, "message": "it broke", "other": 1 })
    );
}

#[test]
fn a_full_queue_drops_lines_and_the_next_one_bears_their_number() {
    let (layer, mut lines) = ServerLogLayer::with_queue(2);
    let mut seen = Vec::new();
    log(layer, || {
        for number in 0..5 {
            info!(number, "line");
        }
        seen.extend(std::iter::from_fn(|| lines.try_next()));
        info!(number = 5, "line");
        info!(number = 6, "line");
        seen.extend(std::iter::from_fn(|| lines.try_next()));
    });
    let seen: Vec<_> = seen.iter().map(|line| (line.fields["number"].as_u64().unwrap(), line.dropped)).collect();
    assert_eq!(seen, [(0, 0), (1, 0), (5, 3), (6, 0)]);
    let line = Line { dropped: 3, ..lines_of(|| info!(dropped = "x", "line")).remove(0) };
    assert_eq!(line.to_json()["dropped"], 3);
}

#[test]
fn events_of_the_reading_task_are_left_out() {
    let lines = lines_of(|| {
        info!(target: "backsync::server_log", "mine");
        info!(target: "backsync::server_log::batch", "mine");
        info!(target: "backsync::store", "theirs");
    });
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["theirs"]);
}

struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!("from within");
        f.write_str("partly")?;
        Err(fmt::Error)
    }
}

#[test]
fn a_value_that_logs_or_fails_while_it_is_shown_does_no_harm() {
    // With a global subscriber an event inside an event reaches the layer again; here it is handed over by hand.
    let lines = lines_of(|| {
        info!(value = ?Chatty, "outer");
        let turn = Turn::take();
        assert!(turn.is_some());
        assert!(Turn::take().is_none());
        info!("while a line is being made");
        drop(turn);
        info!("after");
    });
    let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["outer", "after"]);
    assert_eq!(lines[0].fields["value"], "partly");
}

#[test]
fn a_layer_without_a_reader_stays_quiet() {
    let (layer, lines) = ServerLogLayer::new();
    drop(lines);
    log(layer, || info!("unheard"));
}

#[test]
fn the_reader_gets_batches_and_hears_of_the_end() {
    let (layer, mut lines) = ServerLogLayer::new();
    log(layer, || (0..3).for_each(|_| info!("line")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut batch = Vec::new();
        assert_eq!(lines.next_batch(&mut batch, 2).await, 2);
        assert!(lines.next().await.is_some());
        assert_eq!(lines.next_batch(&mut batch, 2).await, 0);
        assert_eq!(lines.next().await, None);
    });
}
