//! What a change of the validators needs to hold, and what each of those reads who try with less.

use rustorium_types::{
    code::Code,
    ed25519::SigningKey,
    id::{AccountId, Amount, Epoch, Gas, Hash, Nonce},
    transaction::{Authorisation, Body, MalformedTransaction, Message, Signed, VERSION},
    validators::{Electorate, RefusedChange, ValidatorChange, ValidatorSignature},
};

const CHAIN: Hash = Hash([7; 32]);
const EPOCH: Epoch = Epoch(3);
const MADE: u64 = 1;

/// The key of a number, in rising order of what they are listed by.
fn keys(count: u8) -> Vec<SigningKey> {
    let mut keys: Vec<SigningKey> = (1..=count).map(|seed| SigningKey::from_seed([seed; 32])).collect();
    keys.sort_by_key(SigningKey::public_key);
    keys
}

fn public(keys: &[SigningKey]) -> Vec<[u8; 32]> {
    keys.iter().map(|key| key.public_key().0).collect()
}

/// Four decide that a fifth comes.
fn change() -> ValidatorChange {
    ValidatorChange { epoch: EPOCH, number: MADE + 1, validators: public(&keys(5)) }
}

fn signed(change: &ValidatorChange, by: &[SigningKey]) -> Vec<ValidatorSignature> {
    by.iter().map(|key| change.sign(key, &CHAIN)).collect()
}

fn check(change: &ValidatorChange, signatures: &[ValidatorSignature]) -> Result<(), RefusedChange> {
    let validators = public(&keys(4));
    change.check(&Electorate { chain: &CHAIN, epoch: EPOCH, changes: MADE, validators: &validators }, signatures)
}

#[test]
fn a_quorum_decides() {
    let (change, four) = (change(), keys(4));
    for some in [&four[..], &four[1..], &four[..3]] {
        assert_eq!(check(&change, &signed(&change, some)), Ok(()));
    }
    let only = keys(1);
    let (validators, alone) = (public(&only), signed(&change, &only));
    let electorate = Electorate { chain: &CHAIN, epoch: EPOCH, changes: MADE, validators: &validators };
    assert_eq!(change.check(&electorate, &alone), Ok(()));
}

#[test]
fn everything_less_is_refused_in_words() {
    type Alter = fn(&mut ValidatorChange, &mut Vec<ValidatorSignature>);
    let stranger = || SigningKey::from_seed([99; 32]);
    let cases: [(Alter, Code, &str); 13] = [
        (|_, signatures| signatures.truncate(2), Code::NoQuorum, "2 of 4 validators signed the change, and 3 must"),
        // The planted bug that this finds: counting signatures in place of validators.
        (
            |_, signatures| signatures[1] = signatures[0],
            Code::BadUserInput,
            "signatures are listed in rising order of validator, each once",
        ),
        (
            |_, signatures| signatures.swap(0, 1),
            Code::BadUserInput,
            "signatures are listed in rising order of validator, each once",
        ),
        (
            |change, _| change.epoch = Epoch(2),
            Code::WrongEpoch,
            "the change is signed for epoch 2, and this is epoch 3: propose it again",
        ),
        (
            |change, _| change.number = MADE,
            Code::AlreadyExists,
            "change 1 of the validators is made already, the next is 2: propose it again",
        ),
        (|change, _| change.number = 9, Code::BadUserInput, "this is change 9 of the validators, and the next is 2"),
        (|change, _| change.validators.clear(), Code::BadUserInput, "a set has 1 to 512 validators, not 0"),
        (
            |change, _| change.validators = (0..600_u16).map(|key| [(key >> 8) as u8; 32]).collect(),
            Code::BadUserInput,
            "a set has 1 to 512 validators, not 600",
        ),
        (
            |change, _| change.validators.swap(0, 1),
            Code::BadUserInput,
            "validators are listed in rising order of key, each once",
        ),
        (
            |change, _| change.validators[1] = change.validators[0],
            Code::BadUserInput,
            "validators are listed in rising order of key, each once",
        ),
        // No point of the curve has this encoding.
        (
            |change, _| change.validators = vec![[2; 32]],
            Code::BadUserInput,
            "0x0202020202020202020202020202020202020202020202020202020202020202 is no ed25519 key",
        ),
        // Signed for another set than is sent.
        (
            |change, _| change.validators.truncate(4),
            Code::InvalidSignature,
            "a signature is not its validator's over this change of this chain",
        ),
        (
            |_, signatures| signatures[2].signature[40] ^= 1,
            Code::InvalidSignature,
            "a signature is not its validator's over this change of this chain",
        ),
    ];
    for (alter, code, text) in cases {
        let mut change = change();
        let mut signatures = signed(&change, &keys(4)[..3]);
        alter(&mut change, &mut signatures);
        let refused = check(&change, &signatures).unwrap_err();
        assert_eq!((refused.code(), refused.to_string().as_str()), (code, text));
    }

    let change = change();
    let mut with_stranger = keys(4)[..2].to_vec();
    with_stranger.push(stranger());
    with_stranger.sort_by_key(SigningKey::public_key);
    let refused = check(&change, &signed(&change, &with_stranger)).unwrap_err();
    let validator = stranger().public_key().0;
    assert_eq!(refused, RefusedChange::Stranger { validator, epoch: EPOCH });
    assert_eq!(refused.to_string(), format!("{} signed and is no validator of epoch 3", Hash(validator)));
    assert_eq!(refused.code(), Code::Forbidden);

    // What validators decided on one chain is nothing on another, though they are the same.
    let elsewhere: Vec<_> = keys(4).iter().map(|key| change.sign(key, &Hash([8; 32]))).collect();
    assert_eq!(check(&change, &elsewhere), Err(RefusedChange::Signature));
}

fn message(validators: usize, signatures: usize) -> Message {
    let change = ValidatorChange { epoch: EPOCH, number: 1, validators: vec![[1; 32]; validators] };
    let signatures = vec![ValidatorSignature { validator: [1; 32], signature: [2; 64] }; signatures];
    Message::SetValidators { change, signatures }
}

fn transaction(message: Message) -> Signed {
    let body = Body {
        version: VERSION,
        chain: [7; 4],
        sender: AccountId([1; 32]),
        nonce: Nonce(1),
        valid_until: None,
        gas_limit: Gas(1),
        max_gas_price: Amount(1),
        fee_payer: None,
        memo: Vec::new(),
        messages: vec![message],
    };
    let authorisation = Authorisation::Ed25519 { public_key: [3; 32], signature: [4; 64] };
    Signed { body, authorisation, fee_payer_authorisation: None }
}

#[test]
fn too_many_are_refused_before_anything_is_checked() {
    let parse = |message| Signed::parse(&transaction(message).to_bytes(), &CHAIN).map(|_| ());
    assert_eq!(parse(message(512, 512)), Ok(()));
    let refused = parse(message(1, 10_000)).unwrap_err();
    assert_eq!(refused, MalformedTransaction::Signatures(10_000));
    assert_eq!(refused.to_string(), "a change has at most 512 signatures, one of each validator, this one has 10000");
    let refused = parse(message(513, 1)).unwrap_err();
    assert_eq!(refused.to_string(), "an epoch has at most 512 validators, this change names 513");
    // Bytes behind it, and a count that the bytes do not have.
    let mut bytes = transaction(message(4, 3)).to_bytes();
    bytes.push(0);
    assert_eq!(Signed::parse(&bytes, &CHAIN), Err(MalformedTransaction::Encoding));
    let change = borsh::to_vec(&change()).unwrap();
    assert!(borsh::from_slice::<ValidatorChange>(&[&change[..], &[0]].concat()).is_err());
    let mut longer = change;
    longer[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(borsh::from_slice::<ValidatorChange>(&longer).is_err());
}
