//! `rustorium transfer`: native value from one address to another.

use rustorium_types::{
    id::{Address, Amount},
    transaction::Message,
};

use super::{
    CliError, Context,
    call::amount,
    context::People,
    submit::{self, Plan, WaitFor},
};

/// Moves native value.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rustorium transfer to=bob amount=1_000 --from alice")]
pub(crate) struct TransferArgs {
    /// `to=ACCOUNT` and `amount=AMOUNT` in base units.
    #[arg(value_name = "NAME=VALUE", required = true)]
    arguments: Vec<String>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait.
    #[arg(long, value_enum, default_value_t)]
    wait: WaitFor,
}

pub(crate) async fn run(args: TransferArgs, context: &Context) -> Result<(), CliError> {
    let people = context.people().await?;
    let [to, sum] = named(["to", "amount"], &args.arguments)?;
    let (to, sum) = (required("to", to)?, required("amount", sum)?);
    let sum = amount(&sum).map_err(CliError::usage)?;
    send(context, &people, &to, sum, Plan { wait: args.wait.into(), dry_run: args.dry_run, ..Plan::of(Vec::new()) })
        .await
}

/// Moves value on a plan's terms and shows the outcome.
pub(crate) async fn send(
    context: &Context,
    people: &People,
    to: &str,
    amount: Amount,
    plan: Plan,
) -> Result<(), CliError> {
    let address: Address = people.address_or_error(to)?;
    let outcome =
        submit::run(context, Plan { messages: vec![Message::Transfer { to: address, amount }], ..plan }).await?;
    let what = format!("transfer of {} to {to}", super::output::digits(amount));
    context.output.show(&outcome.object(0), || outcome.text(&what, 0, people));
    Ok(())
}

/// The values of those names among `name=value` arguments.
pub(crate) fn named<const N: usize>(names: [&str; N], arguments: &[String]) -> Result<[Option<String>; N], CliError> {
    let mut values = [const { None }; N];
    for argument in arguments {
        let (name, value) = argument
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("`{argument}` is no argument: write NAME=VALUE")))?;
        let Some(place) = names.iter().position(|known| *known == name) else {
            let error = CliError::usage(format!("there is no argument `{name}`"));
            return Err(match super::output::nearest(name, names.into_iter()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("it takes {}", names.join(", "))),
            });
        };
        values[place] = Some(value.to_owned());
    }
    Ok(values)
}

/// The value of an argument that must be there.
pub(crate) fn required(name: &str, value: Option<String>) -> Result<String, CliError> {
    value.ok_or_else(|| CliError::usage(format!("`{name}=…` is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_names() {
        let texts = |arguments: &[&str]| arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = named(["to", "amount"], &texts(&["amount=5", "to=bob"])).map_err(|error| error.text());
        assert_eq!(both, Ok([Some("bob".into()), Some("5".into())]));
        let wrong = named(["to", "amount"], &texts(&["amout=5"])).map_err(|error| error.text());
        assert!(wrong.is_err_and(|text| text.contains("did you mean `amount`?")));
        assert_eq!(amount("1_000"), Ok(Amount(1_000)));
    }
}
