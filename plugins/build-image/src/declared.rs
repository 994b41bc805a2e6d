//! An image without a Dockerfile: files on a base.

use windlass_plugin::Result;
use windlass_plugin::build::{Builder, Context, Copy};

use crate::config::ImageConfig;
use crate::inputs::{Image, Inputs};
use crate::outputs::Steps;
use crate::product::{Content, Product, base_of};

/// Builds what `image` says.
///
/// # Errors
/// What the host says of its base or its files.
pub fn build(
    inputs: &Inputs,
    image: &Image,
    context: &Context,
    builder: &Builder,
    epoch: u64,
) -> Result<Product> {
    let platform = builder.platform();
    let mut filesystem = match &image.base {
        Some(base) => builder.base(base, None)?,
        None => builder.scratch()?,
    };
    let bases = base_of(&filesystem, &platform, true).into_iter().collect();
    let mut config = match filesystem.config() {
        Some(text) => ImageConfig::read(&text)?,
        None => ImageConfig::default(),
    };
    let mut steps = Steps::default();
    for files in &image.files {
        let mut copy =
            Copy::to(&files.to, "/").from_context(context, &of_platform(&files.from, &platform));
        if let Some(owner) = &files.owner {
            copy = copy.owner(owner);
        }
        if let Some(mode) = &files.mode {
            copy = copy.mode(mode);
        }
        let before = filesystem.new_layers();
        filesystem = filesystem.copy(copy)?;
        match filesystem.was_cached() {
            true => steps.cached += 1,
            false => steps.done += 1,
        }
        let created_by = format!("files {} {}", files.from, files.to);
        config.note(&created_by, epoch, filesystem.new_layers() > before);
    }
    let settings = &mut config.settings;
    settings.on_build.clear();
    for (name, value) in &image.env {
        match settings.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => old.clone_from(value),
            None => settings.env.push((name.clone(), value.clone())),
        }
    }
    if let Some(entrypoint) = &image.entrypoint {
        settings.entrypoint = Some(entrypoint.clone());
        // Arguments of the base are for the program that it started.
        settings.cmd = None;
    }
    if let Some(cmd) = &image.cmd {
        settings.cmd = Some(cmd.clone());
    }
    let text = |to: &mut String, said: &Option<String>| {
        if let Some(said) = said {
            to.clone_from(said);
        }
    };
    text(&mut settings.user, &image.user);
    text(&mut settings.working_dir, &image.working_dir);
    settings.exposed_ports.extend(image.ports.iter().map(|port| match port.contains('/') {
        true => port.clone(),
        false => format!("{port}/tcp"),
    }));
    settings.volumes.extend(image.volumes.iter().cloned());
    if image.stop_signal.is_some() {
        settings.stop_signal.clone_from(&image.stop_signal);
    }
    settings.labels.extend(inputs.labels.clone());
    let config = config.write(epoch)?;
    Ok(Product { platform, content: Content::Built(filesystem), config, bases, steps })
}

/// `from` with the parts of the platform in place of their names.
fn of_platform(from: &str, platform: &str) -> String {
    let mut parts = platform.split('/');
    let mut next = || parts.next().unwrap_or_default();
    let (os, arch, variant) = (next(), next(), next());
    from.replace("{os}", os).replace("{arch}", arch).replace("{variant}", variant)
}

#[cfg(test)]
mod tests {
    use super::of_platform;

    #[test]
    fn files_may_differ_by_platform() {
        let check = |from, platform, expect| assert_eq!(of_platform(from, platform), expect);
        check("bin/{os}-{arch}/app", "linux/arm64", "bin/linux-arm64/app");
        check("bin/{arch}{variant}", "linux/arm/v7", "bin/armv7");
        check("bin/app", "linux/amd64", "bin/app");
    }
}
