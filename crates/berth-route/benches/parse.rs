//! How long it takes to know what a request asks for.

use std::hint::black_box;

use berth_route::Route;
use berth_spec::Digest;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Method;

fn parse(criterion: &mut Criterion) {
    let digest = Digest::sha256(b"");
    let session = "6f2b0c0e-6b3b-4b53-9b0e-3d9a7f5d7f11";
    let mut group = criterion.benchmark_group("parse");
    for (name, rest) in [
        ("manifest by tag", "manifests/3.22".to_owned()),
        ("blob", format!("blobs/{digest}")),
        ("session", format!("blobs/uploads/{session}")),
        ("not found", "nothing/here".to_owned()),
    ] {
        let path = format!("/v2/library/alpine/{rest}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| Route::parse(&Method::GET, black_box(&path), None));
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
