//! Golden vectors: one value of every consensus-critical format against its bytes in `vectors/formats.txt`.
//!
//! Changing a line of that file changes what every node and client must agree on: it needs a new version of
//! the format and an ADR. `RUSTORIUM_BLESS=1 cargo test -p rustorium-types` writes the file anew.

use std::{fmt::Write, fs, path::Path};

use rustorium_types::{
    block::{BlockResult, Event, Failure, Frame, Header, LaneCut, MessageResult, Outcome, Receipt, TypedError},
    code::Code,
    genesis::{EpochRecord, Genesis},
    hash::{code_hash, contract_id},
    host::CallError,
    id::{AccountId, Address, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    record::{Control, Record, StateEntry},
    state::{Account, ContractRecord, NonceWindow, account_key, code_key, contract_key, validators_key},
    transaction::{Authorisation, Body, Message, Signed},
    validators::{ValidatorChange, ValidatorSignature},
};

fn genesis() -> Genesis {
    Genesis {
        version: 1,
        chain_id: "golden".into(),
        dev: true,
        salt: [1; 32],
        time: Timestamp(1_700_000_000_000),
        symbol: "RST".into(),
        decimals: 18,
        balances: vec![(AccountId([2; 32]).into(), Amount(1_000_000)), (ContractId([3; 32]).into(), Amount(5))],
        fee_account: AccountId([4; 32]),
        gas_price: Amount(7),
        epoch_length: 1_000,
        state_lag: 8,
        shards: 0,
        limits: Limits::default(),
        validators: vec![[5; 32]],
        verifying_keys: vec![Hash([6; 32])],
    }
}

fn change() -> ValidatorChange {
    ValidatorChange { epoch: Epoch(3), number: 2, validators: vec![[39; 32], [40; 32]] }
}

fn body() -> Body {
    let contract = ContractId([8; 32]);
    Body {
        version: 1,
        chain: [9, 9, 9, 9],
        sender: AccountId([2; 32]),
        nonce: Nonce(3),
        valid_until: Some(Timestamp(1_700_000_060_000)),
        gas_limit: Gas(500_000),
        max_gas_price: Amount(7),
        fee_payer: Some(AccountId([10; 32])),
        memo: b"invoice 7".to_vec(),
        messages: vec![
            Message::Transfer { to: AccountId([11; 32]).into(), amount: Amount(12) },
            Message::StoreCode { wasm: b"\0asm\x01\0\0\0".to_vec() },
            Message::Instantiate {
                code: Hash([13; 32]),
                salt: [14; 32],
                admin: Some(AccountId([2; 32]).into()),
                label: "token".into(),
                args: vec![15],
                value: Amount(16),
            },
            Message::Call { contract, method: "transfer".into(), args: vec![17, 18], value: Amount::ZERO },
            Message::Upgrade { contract, code: Hash([19; 32]), args: vec![] },
            Message::SetAdmin { contract, admin: None },
            Message::SetValidators {
                change: change(),
                signatures: vec![ValidatorSignature { validator: [5; 32], signature: [41; 64] }],
            },
        ],
    }
}

fn header() -> Header {
    Header {
        version: 1,
        chain: genesis().hash(),
        epoch: Epoch(0),
        height: Height(1_000),
        parent: Hash([20; 32]),
        time: Timestamp(1_700_000_001_000),
        gas_price: Amount(7),
        lanes: vec![LaneCut { lane: 0, generation: 0, end: 42, root: Hash([21; 32]) }],
        batch_root: Hash([22; 32]),
        next_epoch: Some(EpochRecord {
            epoch: Epoch(1),
            validators: vec![[23; 32]],
            shards: 0,
            generation: 3,
            limits: Limits::default(),
            header_version: 1,
        }),
        state_height: Height(999),
        results: Hash([24; 32]),
    }
}

fn receipt(outcome: Outcome) -> Receipt {
    Receipt {
        transaction: Hash([25; 32]),
        sender: AccountId([2; 32]),
        nonce: Nonce(3),
        gas_used: Gas(1_234),
        fee: Amount(8_638),
        paid_by: AccountId([10; 32]),
        outcome,
    }
}

fn failure() -> Outcome {
    Outcome::Failure(Failure {
        code: Code::ContractError,
        message_index: 1,
        error: Some(TypedError { name: "Insufficient".into(), fields: vec![1, 2] }),
        path: vec![Frame { contract: ContractId([8; 32]), export: "call.transfer".into(), gas_used: Gas(99) }],
    })
}

fn success() -> Outcome {
    let contract = ContractId([8; 32]);
    Outcome::Success {
        results: vec![
            MessageResult::Transfer { returned: vec![] },
            MessageResult::StoreCode { code: Hash([13; 32]) },
            MessageResult::Instantiate { contract, returned: vec![] },
            MessageResult::Call { returned: vec![26] },
            MessageResult::Upgrade { returned: vec![] },
            MessageResult::SetAdmin,
            MessageResult::SetValidators,
        ],
    }
}

fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |value: &dyn ErasedBorsh| value.bytes();
    let mut nonces = NonceWindow::default();
    assert!(nonces.consume(Nonce(1)) && nonces.consume(Nonce(9)));
    let authorisation = Authorisation::Ed25519 { public_key: [27; 32], signature: [28; 64] };
    let signed = Signed { body: body(), authorisation, fee_payer_authorisation: Some(authorisation) };
    let admin = Some(Address::Account(AccountId([2; 32])));
    vec![
        ("genesis", bytes(&genesis())),
        ("genesis_hash", bytes(&genesis().hash())),
        ("body", bytes(&body())),
        ("transaction_hash", bytes(&body().digest(&genesis().hash()))),
        ("signed", bytes(&signed)),
        ("record_transaction", Record::Transaction(signed).to_bytes()),
        ("record_time_offset", Record::Control(Control::TimeOffset { milliseconds: 5 }).to_bytes()),
        ("record_time_at_least", Record::Control(Control::TimeAtLeast { time: Timestamp(6) }).to_bytes()),
        ("record_mine", Record::Control(Control::Mine).to_bytes()),
        (
            "record_set_balance",
            Record::Control(Control::SetBalance { address: ContractId([3; 32]).into(), amount: Amount(7) }).to_bytes(),
        ),
        (
            "record_set_nonce",
            Record::Control(Control::SetNonce { account: AccountId([2; 32]), nonce: Nonce(9) }).to_bytes(),
        ),
        (
            "record_set_entries",
            Record::Control(Control::SetEntries {
                entries: vec![
                    StateEntry { contract: ContractId([8; 32]), key: vec![35, 36], value: Some(vec![37]) },
                    StateEntry { contract: ContractId::SYSTEM, key: vec![38], value: None },
                ],
            })
            .to_bytes(),
        ),
        (
            "record_set_code",
            Record::Control(Control::SetCode { contract: ContractId([8; 32]), wasm: b"\0asm\x01\0\0\0".to_vec() })
                .to_bytes(),
        ),
        ("record_impersonate", Record::Control(Control::Impersonate { body: body() }).to_bytes()),
        ("record_snapshot", Record::Control(Control::Snapshot).to_bytes()),
        ("record_revert", Record::Control(Control::Revert { height: Height(5) }).to_bytes()),
        ("header", bytes(&header())),
        ("header_hash", bytes(&header().hash())),
        (
            "block_result",
            bytes(&BlockResult {
                height: Height(1),
                header_hash: Hash([29; 32]),
                state_root: Hash([30; 32]),
                receipts_root: Hash([31; 32]),
                events_root: Hash([32; 32]),
            }),
        ),
        ("receipt_success", bytes(&receipt(success()))),
        ("receipt_failure", bytes(&receipt(failure()))),
        ("receipt_dropped", bytes(&receipt(Outcome::Dropped { code: Code::Expired }))),
        (
            "event",
            bytes(&Event {
                transaction_index: 1,
                event_index: 2,
                contract: ContractId([8; 32]),
                name: "Transfer".into(),
                fields: vec![33, 34],
            }),
        ),
        ("account", bytes(&Account { balance: Amount(1 << 100), nonces })),
        (
            "contract_record",
            bytes(&ContractRecord {
                code: Hash([13; 32]),
                admin,
                creator: AccountId([2; 32]).into(),
                height: Height(4),
                label: "token".into(),
            }),
        ),
        ("validator_change", bytes(&change())),
        ("validator_change_digest", bytes(&change().digest(&genesis().hash()))),
        ("validators_key", validators_key()),
        ("call_error", bytes(&CallError { code: Code::OutOfGas, error: None })),
        ("account_key", account_key(AccountId([2; 32]).into())),
        ("contract_key", contract_key(ContractId([8; 32]))),
        ("code_key", code_key(&Hash([13; 32]))),
        ("code_hash", bytes(&code_hash(b"\0asm\x01\0\0\0"))),
        ("contract_id", contract_id(AccountId([2; 32]).into(), &[14; 32]).0.to_vec()),
        ("account_id", authorisation.account().0.to_vec()),
    ]
}

/// `borsh` behind a trait object, so that the table above stays a table.
trait ErasedBorsh {
    fn bytes(&self) -> Vec<u8>;
}

impl<T: borsh::BorshSerialize> ErasedBorsh for T {
    fn bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("memory does not fail")
    }
}

#[test]
fn formats_are_frozen() {
    let mut text = String::new();
    for (name, bytes) in vectors() {
        writeln!(text, "{name} {}", hex::encode(bytes)).expect("memory does not fail");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/formats.txt");
    if std::env::var_os("RUSTORIUM_BLESS").is_some() {
        fs::write(&path, &text).expect("the vectors can be written");
    }
    let frozen = fs::read_to_string(&path).expect("the vectors are there");
    for (now, then) in text.lines().zip(frozen.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), frozen.lines().count());
}

#[test]
fn codes_are_frozen() {
    let codes: Vec<_> = Code::ALL.iter().map(|code| (*code as u8, code.text())).collect();
    assert_eq!(codes.first(), Some(&(1, "BAD_USER_INPUT")));
    assert_eq!(codes.last(), Some(&(31, "NO_QUORUM")));
    for (position, (number, text)) in codes.into_iter().enumerate() {
        assert_eq!(usize::from(number), position + 1);
        assert_eq!(text.parse(), Ok(Code::ALL[position]));
        assert_eq!(Code::from_number(number), Some(Code::ALL[position]));
    }
}

#[test]
fn a_transaction_decodes_exactly() {
    let genesis = genesis().hash();
    let mut body = body();
    body.chain.copy_from_slice(&genesis.0[..4]);
    let authorisation = Authorisation::Ed25519 { public_key: [27; 32], signature: [28; 64] };
    let signed = Signed { body, authorisation, fee_payer_authorisation: Some(authorisation) };
    let mut bytes = signed.to_bytes();
    assert_eq!(Signed::parse(&bytes, &genesis), Ok(signed));
    bytes.push(0);
    assert!(Signed::parse(&bytes, &genesis).is_err(), "a byte behind it");
    for cut in 0..bytes.len() - 1 {
        assert!(Signed::parse(&bytes[..cut], &genesis).is_err(), "cut at {cut}");
    }
}
