//! Folders that other registries wrote, brought into a registry.

mod damaged;
mod exports;
mod imports;
mod interrupted;
mod layouts;
mod migrations;
mod world;
