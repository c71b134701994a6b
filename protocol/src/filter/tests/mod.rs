//! Filters and sorting through their public seam: what they mean, and chance against plain evaluators.

mod behaviour;
mod chance;
mod plain;
mod spelling;

use super::{Filter, FilterLimits, Sort};
use crate::{error::ErrorObject, random::Random};

fn filter(text: &str) -> Filter {
    parse(text, &FilterLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse(text: &str, limits: &FilterLimits) -> Result<Filter, ErrorObject> {
    Filter::parse(serde_json::from_str(text).unwrap(), limits)
}

fn sort(text: &str) -> Result<Sort, ErrorObject> {
    Sort::parse(serde_json::from_str(text).unwrap())
}
