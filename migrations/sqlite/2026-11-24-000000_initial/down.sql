DROP TABLE uploads;
DROP TABLE tags;
DROP TABLE manifest_manifests;
DROP TABLE manifest_blobs;
DROP TABLE manifests;
DROP TABLE repository_blobs;
DROP TABLE blobs;
DROP TABLE repositories;
