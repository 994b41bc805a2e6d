mod recorder;
mod store;
