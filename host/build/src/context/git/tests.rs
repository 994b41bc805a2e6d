mod fetching;
mod fixture;
mod local;
mod parts;
