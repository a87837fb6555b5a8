//! `rustorium peers`: who a node is connected to.

use serde_json::Value;

use super::{CliError, Context, output::table};

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let answer: Value = context.client.get("/v1/peers", &[]).await?;
    context.output.show(&answer, || text(&answer));
    Ok(())
}

fn text(answer: &Value) -> String {
    let Some(id) = answer["id"].as_str() else { return "a chain of one machine: it has no peers".into() };
    let short = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), |text| text.chars().take(12).collect());
    let rows = answer["peers"].as_array().into_iter().flatten().map(|peer| {
        [
            short(&peer["id"]),
            peer["address"].as_str().unwrap_or_default().to_owned(),
            short(&peer["validator"]),
            format!("{:.1} ms", peer["rttMs"].as_f64().unwrap_or_default()),
            peer["score"].to_string(),
        ]
    });
    let mut text = format!("this node   {id}\nvalidator   {}\n\n", short(&answer["validator"]));
    text += &table(["PEER", "ADDRESS", "VALIDATOR", "ROUND TRIP", "SCORE"], rows);
    for ban in answer["bans"].as_array().into_iter().flatten() {
        text += &format!("\nbanned for {} s: {} ({})", ban["seconds"], short(&ban["id"]), ban["reason"]);
    }
    text
}
