DROP TABLE turns, registry;
