//! `rustorium status`: what a node knows of its chain.

use serde_json::Value;

use super::{CliError, Context};

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let status: Value = context.client.get("/v1/status", &[]).await?;
    context.output.listing(&status);
    Ok(())
}
