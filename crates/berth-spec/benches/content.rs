//! How long it takes to understand a manifest, and to hash what is pushed.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use berth_spec::{Algorithm, Digest, Manifest, media_types};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

/// What is hashed at once while a blob arrives, in bytes.
const CHUNK: usize = 256 * 1024;

fn descriptor(media_type: &str, number: usize) -> Value {
    let digest = Digest::sha256(&number.to_be_bytes());
    json!({ "mediaType": media_type, "size": number, "digest": digest.as_str() })
}

fn image(layers: usize) -> Value {
    let layer = |number| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", number);
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", layers),
        "layers": (0..layers).map(layer).collect::<Vec<_>>(),
    })
}

fn index(images: usize) -> Value {
    let image = |number| {
        let mut image = descriptor(media_types::OCI_IMAGE_MANIFEST, number);
        image["platform"] = json!({ "architecture": "arm64", "os": "linux", "variant": "v8" });
        image
    };
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_INDEX,
        "manifests": (0..images).map(image).collect::<Vec<_>>(),
    })
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, manifest) in [
        ("image of 10 layers", image(10)),
        ("index of 20 images", index(20)),
    ] {
        let content = serde_json::to_vec(&manifest).unwrap();
        Manifest::parse(None, &content).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| Manifest::parse(None, black_box(&content)));
        });
    }
    group.finish();
}

fn hash(criterion: &mut Criterion) {
    let chunk = vec![b'a'; CHUNK];
    let mut group = criterion.benchmark_group("hash 256 KiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    for algorithm in Algorithm::ALL {
        group.bench_function(algorithm.as_str(), |bencher| {
            bencher.iter(|| Digest::of(algorithm, black_box(&chunk)));
        });
    }
    group.finish();
}

criterion_group!(benches, parse, hash);
criterion_main!(benches);
