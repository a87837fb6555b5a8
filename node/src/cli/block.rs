//! `rustorium block`: a block, as the node gives it.

use serde_json::Value;

use super::{CliError, Context};

/// Shows a block.
#[derive(Debug, clap::Args)]
pub(crate) struct BlockArgs {
    /// Its height, its hash, or `latest`.
    #[arg(value_name = "HEIGHT|HASH|latest")]
    block: String,
}

pub(crate) async fn run(args: BlockArgs, context: &Context) -> Result<(), CliError> {
    let is_block = args.block == "latest"
        || args.block.parse::<u64>().is_ok()
        || args.block.parse::<rustorium_types::id::Hash>().is_ok();
    if !is_block {
        return Err(CliError::usage(format!("`{}` is neither a height nor a hash nor `latest`", args.block)));
    }
    let block: Value = context.client.get(&format!("/v1/blocks/{}", args.block), &[]).await?;
    context.output.listing(&block);
    Ok(())
}
