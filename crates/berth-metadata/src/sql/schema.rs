//! The tables, as the migrations of each database make them.
#![allow(missing_docs, reason = "the migrations explain tables and columns")]

diesel::table! {
    repositories (id) {
        id -> BigInt,
        name -> Text,
        created_at -> BigInt,
        stored_bytes -> BigInt,
        tag_count -> BigInt,
    }
}

diesel::table! {
    namespaces (name) {
        name -> Text,
        stored_bytes -> BigInt,
        tag_count -> BigInt,
    }
}

diesel::table! {
    blobs (id) {
        id -> BigInt,
        digest -> Text,
        size -> BigInt,
        state -> Text,
        stored_at -> BigInt,
        condemned_at -> Nullable<BigInt>,
        generation -> Nullable<Text>,
    }
}

diesel::table! {
    forsaken_blobs (generation) {
        generation -> Text,
        digest -> Text,
    }
}

diesel::table! {
    replaced_blobs (generation) {
        generation -> Text,
        digest -> Text,
        replaced_at -> BigInt,
    }
}

diesel::table! {
    repository_blobs (repository_id, blob_id) {
        repository_id -> BigInt,
        blob_id -> BigInt,
        linked_at -> BigInt,
    }
}

diesel::table! {
    manifests (id) {
        id -> BigInt,
        repository_id -> BigInt,
        digest -> Text,
        media_type -> Text,
        artifact_type -> Nullable<Text>,
        subject_digest -> Nullable<Text>,
        annotations -> Nullable<Text>,
        size -> BigInt,
        used_at -> BigInt,
        content -> Binary,
    }
}

diesel::table! {
    manifest_blobs (manifest_id, digest) {
        manifest_id -> BigInt,
        digest -> Text,
        blob_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    manifest_manifests (parent_id, child_digest) {
        parent_id -> BigInt,
        child_digest -> Text,
    }
}

diesel::table! {
    tags (repository_id, name) {
        repository_id -> BigInt,
        name -> Text,
        manifest_id -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    uploads (id) {
        id -> Text,
        repository -> Text,
        algorithm -> Text,
        offset -> BigInt,
        hash_state -> Binary,
        revision -> BigInt,
        updated_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    users (name) {
        name -> Text,
        password_hash -> Text,
        groups -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    robot_tokens (id) {
        id -> Text,
        name -> Text,
        secret_hash -> Text,
        scope -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Text,
        private_key -> Text,
        created_at -> BigInt,
    }
}

diesel::joinable!(repository_blobs -> repositories (repository_id));
diesel::joinable!(repository_blobs -> blobs (blob_id));
diesel::joinable!(manifests -> repositories (repository_id));
diesel::joinable!(manifest_blobs -> blobs (blob_id));
diesel::joinable!(manifest_blobs -> manifests (manifest_id));
diesel::joinable!(manifest_manifests -> manifests (parent_id));
diesel::joinable!(tags -> manifests (manifest_id));
diesel::joinable!(tags -> repositories (repository_id));

diesel::allow_tables_to_appear_in_same_query!(
    repositories,
    blobs,
    repository_blobs,
    manifests,
    manifest_blobs,
    manifest_manifests,
    tags,
);
