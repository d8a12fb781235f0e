//! However a good token is changed, it is no token.

use std::sync::{Arc, OnceLock};

use berth_auth::{BearerTokens, Identity, TokenService, TokenSettings};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};

use crate::signing_key_store::MemoryKeys;

struct Target {
    runtime: Runtime,
    bearers: BearerTokens,
    good: String,
}

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let store = Arc::new(MemoryKeys::default());
        let service = Arc::new(TokenService::new(TokenSettings::default(), store));
        let alice = Identity::named("alice");
        let answer = runtime.block_on(service.issue(&alice, &[], None)).unwrap();
        Target {
            runtime,
            bearers: BearerTokens::new(Some(service), None, Vec::new()).unwrap(),
            good: answer.token.expose_secret().to_owned(),
        }
    })
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let text = prop::sample::select(
        &b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ "[..],
    );
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), text.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (index(), text).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        index().prop_map(Mutation::Remove),
        (index(), index()).prop_map(|(at, other)| Mutation::Swap(at, other)),
    ]
}

fn apply(mutation: &Mutation, token: &mut Vec<u8>) {
    let length = token.len();
    match mutation {
        Mutation::Replace(at, byte) => token[at.index(length)] = *byte,
        Mutation::Insert(at, byte) => token.insert(at.index(length + 1), *byte),
        Mutation::Remove(at) => drop(token.remove(at.index(length))),
        Mutation::Swap(at, other) => token.swap(at.index(length), other.index(length)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_token_is_not_good(mutations in prop::collection::vec(mutation(), 1..4)) {
        let target = target();
        let mut token = target.good.clone().into_bytes();
        for mutation in &mutations {
            apply(mutation, &mut token);
        }
        let token = String::from_utf8(token).unwrap();
        let verified = target.runtime.block_on(target.bearers.verify(&token));
        prop_assert_eq!(verified.is_ok(), token == target.good);
    }
}
