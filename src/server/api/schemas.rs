//! What the description of the door names: records, parameters, answers, and what may be wrong.

use super::problem::Details;
use utoipa::{
    IntoParams, IntoResponses, PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type, schema::AdditionalProperties},
};

/// A record: an object of the client's own members. The server adds `_rev`, the model's revision at which it last changed.
pub(super) struct Record;

impl PartialSchema for Record {
    fn schema() -> RefOr<Schema> {
        let record = ObjectBuilder::new()
            .description(Some("A record: members of your own, of any kind. Those that begin with _ are the server's."))
            .property("id", ObjectBuilder::new().schema_type(Type::String))
            .property("_rev", ObjectBuilder::new().schema_type(Type::Integer))
            .required("id")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)));
        record.into()
    }
}

impl ToSchema for Record {}

/// A record as it is sent.
pub(super) struct RecordInput;

impl PartialSchema for RecordInput {
    fn schema() -> RefOr<Schema> {
        let record = ObjectBuilder::new()
            .description(Some("A record as it is sent; without an id the server makes one. _rev is its base."))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([serde_json::json!({"id": "m1", "from": "ada", "text": "hello"})]);
        record.into()
    }
}

impl ToSchema for RecordInput {}

/// What is one of several things.
macro_rules! either {
    ($(#[$about:meta])* $name:ident: $($schema:expr),+) => {
        $(#[$about])*
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                OneOfBuilder::new()$(.item($schema))+.into()
            }
        }

        impl ToSchema for $name {}
    };
}

fn one(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

fn many(name: &str) -> RefOr<Schema> {
    ArrayBuilder::new().items(Ref::from_schema_name(name)).into()
}

fn nothing() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Null).into()
}

fn changes() -> RefOr<Schema> {
    let ids = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
    let changes = ObjectBuilder::new()
        .description(Some("What changed since, and what is gone; with reset it is everything."))
        .property("data", many("Record"))
        .property("deleted", ids)
        .property("reset", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("position", ObjectBuilder::new().schema_type(Type::String))
        .required("data")
        .required("position");
    changes.into()
}

either!(
    /// One record or several.
    Sent: one("RecordInput"), many("RecordInput")
);
either!(
    /// The same, as they are now; nothing where a write lost to a deletion.
    Written: one("Record"), many("Record"), nothing()
);
either!(
    /// The records, or what changed.
    Answered: many("Record"), changes()
);
either!(
    /// The records that a reference leads to, or the one.
    Led: one("Record"), many("Record")
);

/// What became of a line.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and written by hand")]
pub(super) struct LineResult {
    /// Which line, counted from 1.
    line: u64,
    /// The record's id, where it was written.
    #[schema(nullable = false)]
    id: Option<String>,
    /// Its revision.
    #[schema(nullable = false)]
    _rev: Option<u64>,
    /// Why it was not written: an error object of the wire.
    #[schema(value_type = Object, nullable = false)]
    error: Option<serde_json::Value>,
}

/// What changed since a time.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and written by hand")]
pub(super) struct Feed {
    /// For the next call's `since`: no later change has this time or an earlier one.
    now: u64,
    /// Records as they are, each with its `_lastChange`, and `{"id":…,"_removed":true}`.
    updates: Vec<Record>,
}

/// That a write is done.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and written by hand")]
pub(super) struct Fed {
    /// Always `ok`.
    status: String,
    /// The time of all the changes of this write.
    now: u64,
}

/// The model.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct OfModel {
    /// A model: 1 to 128 of letters, digits, `_`, `-` and `.`. It is there as soon as somebody names it.
    #[param(example = "Task", pattern = "^[A-Za-z0-9_.-]{1,128}$")]
    model: String,
}

/// A record of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct OfRecord {
    /// A record's id.
    #[param(example = "t1", min_length = 1, max_length = 256)]
    id: String,
}

/// A reference of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct OfAssociation {
    /// A reference of the model, as `models.NAME.references` declares it.
    #[param(example = "friends")]
    association: String,
}

/// A record that it leads to.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct OfOther {
    /// The other record's id.
    other: String,
}

/// Who asks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct Asking {
    /// The client's name, for transactions and presence.
    client: Option<String>,
}

/// Under which conditions a record is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct Terms {
    /// What decides where the record is not as the writer knew it.
    #[param(inline)]
    policy: Option<PolicyName>,
    /// Whose value a merge takes where both sides changed one.
    #[param(inline)]
    prefer: Option<SideName>,
    /// The `_rev` of the record that a single write is made from, where no header says it.
    base: Option<u64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) enum PolicyName {
    ClientWins,
    ServerWins,
    LatestWins,
    Merge,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) enum SideName {
    Client,
    Server,
}

/// Headers of a write.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "they are described here, and read by hand")]
pub(super) struct Conditions {
    /// The record's ETag, or `*` for any: else 412.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// `*`: there is to be no such record, else 412.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
    /// Names the write over all its repetitions, so that it is done once.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// What comes back of a write.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct Returned {
    /// `return=minimal`: of each record its `id` and `_rev` only.
    #[param(rename = "Prefer", example = "return=minimal")]
    prefer: Option<String>,
}

/// Shape of an answer of many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct Shape {
    /// A filter as JSON text.
    #[param(example = r#"{"done":false}"#)]
    r#where: Option<String>,
    /// Paths, by commas or as a JSON array; `-` before one turns it around.
    #[param(example = "-priority,title")]
    sort: Option<String>,
    /// No more than so many. The `Link` header leads to the next page.
    limit: Option<u64>,
    /// So many are left out at the beginning.
    skip: Option<u64>,
    /// References to fill in, by commas or as a JSON array.
    populate: Option<String>,
}

/// What is asked for beside.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
pub(super) struct Place {
    /// These records only, by commas or as a JSON array.
    ids: Option<String>,
    /// Behind the place at which another page ended.
    after: Option<String>,
    /// What became of them since a position: the answer is an object with `data`, `deleted` or `reset`, and `position`.
    since: Option<String>,
}

/// What may be wrong with any request.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they are described here, and answered elsewhere")]
pub(super) enum Problems {
    /// The request is wrong; the text says what would be right.
    #[response(status = 400, content_type = "application/problem+json")]
    Wrong(#[to_schema] Details<'static>),
    /// Nobody has this token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unknown(#[to_schema] Details<'static>),
    /// A rule forbids it, the record belongs to another session, or pages of this origin may not come in.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Details<'static>),
    /// There is no such record.
    #[response(status = 404, content_type = "application/problem+json")]
    Missing(#[to_schema] Details<'static>),
    /// This path does not take this method.
    #[response(status = 405, content_type = "application/problem+json")]
    Method(#[to_schema] Details<'static>),
    /// More than a limit allows, or a key that was used for another write.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(#[to_schema] Details<'static>),
    /// The server goes, is full, or its store does not answer; again later.
    #[response(status = 503, content_type = "application/problem+json")]
    Later(#[to_schema] Details<'static>),
}

/// What may be wrong with a write beside.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they are described here, and answered elsewhere")]
pub(super) enum WriteProblems {
    /// The record is not as the writer knew it.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Details<'static>),
    /// The condition does not hold.
    #[response(status = 412, content_type = "application/problem+json")]
    Unmet(#[to_schema] Details<'static>),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    Large(#[to_schema] Details<'static>),
    /// The body is of another kind than is taken.
    #[response(status = 415, content_type = "application/problem+json")]
    Kind(#[to_schema] Details<'static>),
    /// The store has no room.
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Details<'static>),
}
