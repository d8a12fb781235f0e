use anyhow::Result;

use super::{Bench, CONNECTIONS, Probe, growing, largest_size, page, scattered};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::Image;
use crate::bench::load::{for_each, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::Measurements;
use berth_spec::media_types;

const REPOSITORY: &str = "growth";

/// How many images share all the tags.
const IMAGES: usize = 10;

/// How many images refer to the first one.
const REFERRERS: usize = 10;

/// The images that are tagged.
pub(in crate::bench::rows) struct Images {
    tagged: Vec<Image>,
    referrers: Vec<Image>,
}

impl Images {
    pub(in crate::bench::rows) fn new() -> Self {
        let tagged: Vec<Image> = (0..IMAGES)
            .map(|number| Image::new(&number.to_string(), &[]))
            .collect();
        let referrers = (0..REFERRERS)
            .map(|number| Image::referring_to(&format!("referrer {number}"), &tagged[0]))
            .collect();
        Self { tagged, referrers }
    }

    fn of_tag(&self, number: usize) -> &Image {
        &self.tagged[number % IMAGES]
    }

    /// Pushes the images, without tags.
    async fn push(&self, server: &Running) -> Result<()> {
        let mut connection = Connection::open(server.address).await?;
        for image in self.tagged.iter().chain(&self.referrers) {
            let (config, digest) = (&image.config, &image.config_digest);
            push::blob(&mut connection, REPOSITORY, config, digest).await?;
            let digest = image.digest.as_str();
            push::manifest(&mut connection, REPOSITORY, digest, &image.manifest).await?;
        }
        Ok(())
    }

    /// Pushes these tags on many connections.
    async fn tag(&self, server: &Running, numbers: std::ops::Range<usize>) -> Result<()> {
        let mut connections = open(server.address, CONNECTIONS).await?;
        for_each(&mut connections, numbers, async |connection, number| {
            let manifest = &self.of_tag(number).manifest;
            push::manifest(connection, REPOSITORY, &tag(number), manifest).await
        })
        .await
    }
}

/// Measures at each size, and answers the registries, as full as they got.
pub(super) async fn measure(
    bench: &Bench,
    measurements: &mut Measurements,
) -> Result<Vec<Running>> {
    let images = Images::new();
    let servers = bench.start_all().await?;
    for server in &servers {
        images.push(server).await?;
    }
    // How many tags there are: measuring adds some.
    let mut filled = 0;
    for &size in bench.scale.sizes {
        let growing = growing(&servers, size);
        for server in &growing {
            println!("{}: up to {size} tags", server.registry.name());
            images.tag(server, filled..size).await?;
        }
        measure_at(bench, &images, size, &growing, measurements).await?;
        filled = size + bench.scale.rounds * bench.scale.requests;
    }
    Ok(servers)
}

/// Fills a new registry as far as it is measured.
pub(in crate::bench::rows) async fn fill_to_the_end(
    bench: &Bench,
    images: &Images,
    server: &Running,
) -> Result<()> {
    let sizes = bench.scale.sizes.iter().copied();
    let size = sizes
        .filter(|size| *size <= largest_size(server.registry))
        .max();
    images.push(server).await?;
    images.tag(server, 0..size.unwrap_or_default()).await
}

async fn measure_at(
    bench: &Bench,
    images: &Images,
    size: usize,
    servers: &[&Running],
    measurements: &mut Measurements,
) -> Result<()> {
    let probe = |case| Probe {
        case,
        size,
        rounds: bench.scale.rounds,
        requests: bench.scale.requests,
    };
    let page = page(size, tag);
    let page = Request::get(&format!("/v2/{REPOSITORY}/tags/list?{page}"));
    let catalog = Request::get("/v2/_catalog?n=100");
    let subject = &images.tagged[0].digest;
    let referrers = Request::get(&format!("/v2/{REPOSITORY}/referrers/{subject}"));
    for (case, request) in [
        ("page of 100 tags", page),
        ("catalog page, by tags", catalog),
        ("referrers", referrers),
    ] {
        let work = async |connection: &mut Connection, _| {
            push::is_served(&connection.send(&request).await?, case)
        };
        probe(case).measure(servers, measurements, work).await?;
    }
    let head = async |connection: &mut Connection, number| {
        let target = format!(
            "/v2/{REPOSITORY}/manifests/{}",
            tag(scattered(number, size))
        );
        let headers = [("Accept", media_types::OCI_IMAGE_MANIFEST)];
        let request = Request::new("HEAD", &target, &headers, &Body::None);
        push::expect(&connection.send(&request).await?, 200, "HEAD by tag")?;
        Ok(true)
    };
    probe("HEAD by tag")
        .measure(servers, measurements, head)
        .await?;
    // Last, because it is what makes the repository grow.
    let one_more = async |connection: &mut Connection, number| {
        let number = size + number;
        let manifest = &images.of_tag(number).manifest;
        push::manifest(connection, REPOSITORY, &tag(number), manifest).await?;
        Ok(true)
    };
    probe("push of one more tag")
        .measure(servers, measurements, one_more)
        .await
}

/// Tags in the order of their numbers.
fn tag(number: usize) -> String {
    format!("v{number:07}")
}
