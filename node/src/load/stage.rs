//! What a load needs before its clock starts, and the check after it stopped: a token of its own, senders with
//! something to send, signed transfers, and balances that add up.

use std::collections::BTreeMap;

use rustorium_client::{
    Client, Signer, Terms,
    model::{SignedInput, TransactionStatus, Wait},
};
use rustorium_types::{
    hash::{account_id, code_hash, contract_id},
    id::{AccountId, Address, Amount, ContractId, Gas, Hash, Nonce},
    limits,
    transaction::Message,
};
use tokio::task::JoinSet;

use super::{LoadError, LoadOptions};

/// Tokens of one transfer.
const AMOUNT: u128 = 1;
/// Gas of a transfer at the most, before one was measured.
const UNMEASURED: Gas = Gas(5_000_000);
/// Senders that one transaction funds: two messages each.
const FUNDED_AT_ONCE: usize = limits::MESSAGES / 2;

/// A token and funded senders, ready to transfer.
#[derive(Debug)]
pub struct Stage {
    genesis: Hash,
    gas_price: Amount,
    /// Of one transfer, with a quarter to spare.
    gas_limit: Gas,
    token: ContractId,
    senders: Vec<Signer>,
}

impl Stage {
    /// Deploys a token and funds what `options` ask for.
    ///
    /// # Errors
    /// If the node does not answer, or a step fails.
    pub async fn set(client: &Client, payer: &Signer, wasm: Vec<u8>, options: &LoadOptions) -> Result<Self, LoadError> {
        let status = client.status().await?;
        let random = || Signer::random().map_err(|error| failed("making keys", &error));
        let (salt, _) = random()?;
        let salt = salt.public_key();
        let senders = (0..options.senders).map(|_| Ok(random()?.0)).collect::<Result<Vec<_>, LoadError>>()?;
        let mut stage = Self {
            genesis: status.genesis_hash,
            gas_price: status.gas_price,
            gas_limit: UNMEASURED,
            token: contract_id(payer.account().into(), &salt),
            senders,
        };
        let mut nonce = client.account(payer.account().into()).await?.nonce_next;
        let mut next_nonce = || {
            nonce += 1;
            Nonce(nonce - 1)
        };
        let deploy = deploy(wasm, salt);
        let gas = Gas(status.limits.transaction_gas);
        stage.send(client, payer, "deploying the token", next_nonce(), gas, deploy).await?;

        // To somebody new: the dearest kind of transfer.
        let probe = vec![stage.transfer(&recipient(usize::MAX), AMOUNT)];
        let used = stage.send(client, payer, "a first transfer", next_nonce(), UNMEASURED, probe).await?;
        stage.gas_limit = Gas(used.0 + used.0 / 4);

        let each = options.transfers.div_ceil(options.senders) as u128;
        let fees = Amount(stage.gas_limit.cost(stage.gas_price).0.saturating_mul(each));
        // One is left over: who gives away the last stops being a holder, which takes more gas than a transfer.
        let tokens = (each + 1) * AMOUNT;
        for group in stage.senders.chunks(FUNDED_AT_ONCE) {
            let fund = |sender: &Signer| {
                let to = sender.account().into();
                [Message::Transfer { to, amount: fees }, stage.transfer(&sender.account(), tokens)]
            };
            let messages: Vec<_> = group.iter().flat_map(fund).collect();
            stage.send(client, payer, "funding the senders", next_nonce(), gas, messages).await?;
        }
        Ok(stage)
    }

    /// Every transfer signed, in batches. Transfer i goes from sender i mod senders to recipient i mod recipients.
    pub fn sign(&self, options: &LoadOptions) -> Vec<Vec<SignedInput>> {
        let transfers: Vec<usize> = (0..options.transfers).collect();
        let sign = |number: &usize| {
            let sender = &self.senders[number % self.senders.len()];
            let nonce = Nonce((number / self.senders.len()) as u64 + 1);
            let message = self.transfer(&recipient(number % options.recipients), AMOUNT);
            let body = self.terms(nonce, self.gas_limit).body(sender.account(), vec![message]);
            SignedInput::from(&sender.sign(body, &self.genesis).0)
        };
        transfers.chunks(options.batch).map(|batch| batch.iter().map(sign).collect()).collect()
    }

    /// The token.
    pub const fn token(&self) -> ContractId {
        self.token
    }

    /// The account of sender `number`.
    pub fn sender(&self, number: usize) -> AccountId {
        self.senders[number].account()
    }

    /// Compares every recipient's balance with what its receipts add up to.
    pub(super) async fn check(
        &self,
        client: &Client,
        succeeded: &[usize],
        options: &LoadOptions,
    ) -> Result<(), LoadError> {
        let mut expected: BTreeMap<usize, u128> = BTreeMap::new();
        for number in succeeded {
            *expected.entry(number % options.recipients).or_default() += AMOUNT;
        }
        let expected: Vec<_> = expected.into_iter().collect();
        let share = expected.len().div_ceil(options.connections).max(1);
        let mut running = JoinSet::new();
        for part in expected.chunks(share) {
            let (client, token, part) = (client.clone(), self.token, part.to_vec());
            running.spawn(async move {
                for (number, expected) in part {
                    let actual = balance(&client, token, number).await?;
                    if actual != expected {
                        return Err(LoadError::Balance { recipient: number, expected, actual });
                    }
                }
                Ok(())
            });
        }
        while let Some(part) = running.join_next().await {
            part.map_err(|error| failed("checking balances", &error))??;
        }
        Ok(())
    }

    fn terms(&self, nonce: Nonce, gas_limit: Gas) -> Terms {
        let (genesis, max_gas_price) = (self.genesis, self.gas_price);
        Terms { genesis, nonce, gas_limit, max_gas_price, valid_until: None, memo: Vec::new() }
    }

    fn transfer(&self, to: &AccountId, amount: u128) -> Message {
        let args = borsh::to_vec(&(Address::from(*to), amount)).unwrap_or_default();
        Message::Call { contract: self.token, method: "transfer".into(), args, value: Amount::ZERO }
    }

    /// Sends one transaction of the payer's, waits for its success, and answers the gas that it used.
    async fn send(
        &self,
        client: &Client,
        payer: &Signer,
        step: &'static str,
        nonce: Nonce,
        gas: Gas,
        messages: Vec<Message>,
    ) -> Result<Gas, LoadError> {
        let body = self.terms(nonce, gas).body(payer.account(), messages);
        let (signed, _) = payer.sign(body, &self.genesis);
        let result = client.submit(&[SignedInput::from(&signed)], Wait::Executed).await?.pop();
        match result.as_ref().and_then(|result| result.status.as_ref()) {
            Some(TransactionStatus::Success { receipt, .. }) => Ok(Gas(receipt.gas_used)),
            Some(TransactionStatus::Failure { error, .. }) => Err(failed(step, &error.message)),
            _ => Err(failed(step, &result.and_then(|result| result.message).unwrap_or_else(|| "no receipt".into()))),
        }
    }
}

fn deploy(wasm: Vec<u8>, salt: [u8; 32]) -> Vec<Message> {
    let (code, admin, value) = (code_hash(&wasm), None, Amount::ZERO);
    let args = borsh::to_vec(&("LOAD", 0u8, u128::MAX)).unwrap_or_default();
    vec![Message::StoreCode { wasm }, Message::Instantiate { code, salt, admin, label: "load".into(), args, value }]
}

/// The account of recipient `number`: nobody has its key.
fn recipient(number: usize) -> AccountId {
    account_id(u8::MAX, &(number as u64).to_le_bytes())
}

async fn balance(client: &Client, token: ContractId, number: usize) -> Result<u128, LoadError> {
    let args = borsh::to_vec(&Address::from(recipient(number))).unwrap_or_default();
    let result = client.view(token, "balance_of", &args, None, false).await?;
    borsh::from_slice(&result.raw).map_err(|_| failed("checking balances", &"not a balance"))
}

fn failed(step: &'static str, reason: &impl ToString) -> LoadError {
    LoadError::Stage { step, reason: reason.to_string() }
}
