use anyhow::Result;

use super::probe::{Addresses, Probe, Side};
use super::{Bench, CONNECTIONS, CONTROL, Pair, growing, largest_size, page, scattered};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::Image;
use crate::bench::load::{for_each, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::Measurements;
use berth_spec::media_types;

const REPOSITORY: &str = "growth";
const CATALOG: &str = "/v2/_catalog?n=100";

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
    async fn push(&self, server: &Running, repository: &str) -> Result<()> {
        let mut connection = Connection::open(server.address).await?;
        for image in self.tagged.iter().chain(&self.referrers) {
            let (config, digest) = (&image.config, &image.config_digest);
            push::blob(&mut connection, repository, config, digest).await?;
            let digest = image.digest.as_str();
            push::manifest(&mut connection, repository, digest, &image.manifest).await?;
        }
        Ok(())
    }

    /// Pushes these tags on many connections.
    async fn tag(
        &self,
        server: &Running,
        repository: &str,
        numbers: std::ops::Range<usize>,
    ) -> Result<()> {
        let mut connections = open(server.address, CONNECTIONS).await?;
        for_each(&mut connections, numbers, async |connection, number| {
            let manifest = &self.of_tag(number).manifest;
            push::manifest(connection, repository, &tag(number), manifest).await
        })
        .await
    }

    /// Makes a repository that is as small as what is measured beside it should be.
    async fn push_control(&self, server: &Running, repository: &str) -> Result<()> {
        self.push(server, repository).await?;
        self.tag(server, repository, 0..CONTROL).await
    }
}

/// Measures at each size, and answers the registries, as full as they got.
pub(super) async fn measure(
    bench: &Bench,
    measurements: &mut Measurements,
) -> Result<Vec<Running>> {
    let images = Images::new();
    let pairs = Pair::start_all(bench).await?;
    for pair in &pairs {
        images.push(&pair.growing, REPOSITORY).await?;
        images.push_control(&pair.control, REPOSITORY).await?;
    }
    // How many tags there are: measuring adds some.
    let mut filled = 0;
    for &size in bench.scale.sizes {
        for pair in growing(&pairs, size) {
            println!("{}: up to {size} tags", pair.registry().name());
            images.tag(&pair.growing, REPOSITORY, filled..size).await?;
            // A new one for each size, because measuring adds tags to it. It is in both
            // servers, so that their catalogs are equally long.
            let control = format!("control/{size}");
            images.push_control(&pair.growing, &control).await?;
            images.push_control(&pair.control, &control).await?;
            let sides = Sides {
                images: &images,
                pair,
                control,
                size,
            };
            sides.measure(bench, measurements).await?;
        }
        filled = size + bench.scale.turns * bench.scale.requests;
    }
    Ok(pairs.into_iter().map(|pair| pair.growing).collect())
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
    images.push(server, REPOSITORY).await?;
    let numbers = 0..size.unwrap_or_default();
    images.tag(server, REPOSITORY, numbers).await
}

/// What is measured at one size: the repository that grows, and a small one in the same registry.
struct Sides<'a> {
    images: &'a Images,
    pair: &'a Pair,
    control: String,
    size: usize,
}

impl Sides<'_> {
    /// A side's repository, and how many tags it has.
    fn of(&self, side: Side) -> (&str, usize) {
        match side {
            Side::Control => (&self.control, CONTROL),
            Side::Grown => (REPOSITORY, self.size),
        }
    }

    async fn measure(&self, bench: &Bench, measurements: &mut Measurements) -> Result<()> {
        let probe = |case| Probe {
            case,
            size: self.size,
            turns: bench.scale.turns,
            requests: bench.scale.requests,
        };
        let registry = self.pair.registry();
        let grown = self.pair.growing.address;
        let control = grown;
        let same = Addresses { control, grown };
        // A catalog is one for a whole registry: its control is another server.
        let control = self.pair.control.address;
        let servers = Addresses { control, grown };
        for (case, addresses, targets) in [
            (
                "page of 100 tags",
                same,
                Side::BOTH.map(|side| self.tags(side)),
            ),
            (
                "catalog page, by tags",
                servers,
                Side::BOTH.map(|_| CATALOG.to_owned()),
            ),
            (
                "referrers",
                same,
                Side::BOTH.map(|side| self.referrers(side)),
            ),
        ] {
            probe(case)
                .measure_get(registry, addresses, measurements, targets)
                .await?;
        }
        let head = async |side, connection: &mut Connection, number| {
            let (repository, size) = self.of(side);
            head(connection, repository, scattered(number, size)).await
        };
        probe("HEAD by tag")
            .measure(registry, same, measurements, head)
            .await?;
        // Last, because it is what makes both repositories grow.
        let one_more = async |side, connection: &mut Connection, number| {
            let (repository, size) = self.of(side);
            let number = size + number;
            let manifest = &self.images.of_tag(number).manifest;
            push::manifest(connection, repository, &tag(number), manifest).await?;
            Ok(true)
        };
        probe("push of one more tag")
            .measure(registry, same, measurements, one_more)
            .await
    }

    /// The target of a page of tags.
    fn tags(&self, side: Side) -> String {
        let (repository, size) = self.of(side);
        format!("/v2/{repository}/tags/list?{}", page(size, tag))
    }

    fn referrers(&self, side: Side) -> String {
        let (repository, _) = self.of(side);
        let subject = &self.images.tagged[0].digest;
        format!("/v2/{repository}/referrers/{subject}")
    }
}

async fn head(connection: &mut Connection, repository: &str, number: usize) -> Result<bool> {
    let target = format!("/v2/{repository}/manifests/{}", tag(number));
    let headers = [("Accept", media_types::OCI_IMAGE_MANIFEST)];
    let request = Request::new("HEAD", &target, &headers, &Body::None);
    push::expect(&connection.send(&request).await?, 200, "HEAD by tag")?;
    Ok(true)
}

/// Tags in the order of their numbers.
fn tag(number: usize) -> String {
    format!("v{number:07}")
}
