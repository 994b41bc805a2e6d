//! What Azure would refuse, told before anything is asked: the limits of container groups.

mod word;

use std::collections::BTreeSet;
use std::time::Duration;

use arm::ResourceId;
use windlass_plugin::{Error, Result};

use crate::inputs::{Container, Inputs, Ip, Os, Registry, Sku, WaitFor};
use word::{is_dns_label, is_name, is_variable, is_volume};

/// Containers of a group, those that run first included.
const MOST_CONTAINERS: usize = 60;
/// Volumes of a group.
const MOST_VOLUMES: usize = 20;
/// Ports of an address.
const MOST_PORTS: usize = 5;
/// CPUs and GB of memory of a group.
const MOST: (f64, f64) = (31.0, 240.0);
/// CPUs and GB of memory of a group on spare capacity.
const MOST_SPOT: (f64, f64) = (4.0, 16.0);
/// Tags of a resource.
const MOST_TAGS: usize = 50;
/// The characters of a random suffix with its dash.
pub const SUFFIX: usize = 7;

/// The group's resource id, if Azure could take `inputs`.
///
/// # Errors
/// `invalid.inputs` with all that is wrong.
pub fn check(inputs: &Inputs) -> Result<ResourceId> {
    let group =
        ResourceId::subscription(&inputs.subscription)?.resource_group(&inputs.resource_group)?;
    let mut wrong = Problems::default();
    wrong.unless(is_name(&inputs.name), || {
        format!("`name`: `{}` is not {}", inputs.name, word::NAME)
    });
    if inputs.action == crate::inputs::Action::Deploy {
        containers(inputs, &mut wrong);
        volumes(inputs, &mut wrong);
        address(inputs, &mut wrong);
        sizes(inputs, &mut wrong);
        inputs.registries.iter().for_each(|registry| credential(inputs, registry, &mut wrong));
        terms(inputs, &mut wrong);
        rest(inputs, &mut wrong);
    }
    wrong.end()?;
    Ok(group.resource(crate::spec::KIND, &inputs.name)?)
}

/// How long is waited.
///
/// # Errors
/// `invalid.inputs` if `within` is no duration.
pub fn within(inputs: &Inputs) -> Result<Duration> {
    humantime::parse_duration(&inputs.within).map_err(|error| {
        Error::invalid(format!("`within`: `{}` is no duration: {error}", inputs.within))
            .hint("write it as `15m` or `90s`")
    })
}

/// All that is wrong.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.0.push(what());
        }
    }

    fn end(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(self.0.join("; ")))
    }
}

fn containers(inputs: &Inputs, wrong: &mut Problems) {
    let all = inputs.all_containers();
    wrong.unless(!all.is_empty(), || "neither `image` nor `containers` is said".to_owned());
    let count = all.len() + inputs.init_containers.len();
    wrong.unless(count <= MOST_CONTAINERS, || {
        format!("there are {count} containers; a group has at most {MOST_CONTAINERS}")
    });
    let mut seen = BTreeSet::new();
    let first = all.iter().map(|it| (&it.name, &it.image, &it.env, &it.mounts));
    let before = inputs.init_containers.iter().map(|it| (&it.name, &it.image, &it.env, &it.mounts));
    for (name, image, env, mounts) in first.chain(before) {
        wrong.unless(is_name(name), || {
            format!("container `{name}`: its name is not {}", word::NAME)
        });
        wrong.unless(seen.insert(name), || format!("two containers are called `{name}`"));
        wrong.unless(!image.trim().is_empty(), || format!("container `{name}` has no image"));
        for variable in env.keys() {
            wrong.unless(is_variable(variable), || {
                format!("container `{name}`: `{variable}` is no name of a variable")
            });
        }
        for (volume, mount) in mounts {
            wrong.unless(inputs.volumes.contains_key(volume), || {
                format!("container `{name}`: there is no volume `{volume}`")
            });
            wrong.unless(!mount.path.is_empty() && !mount.path.contains(':'), || {
                format!(
                    "container `{name}`: volume `{volume}` stands nowhere, or its path has a colon"
                )
            });
        }
    }
    for Container { name, liveness, readiness, .. } in &all {
        for probe in [liveness, readiness].into_iter().flatten() {
            let is_one = probe.command.is_empty() == probe.port.is_some();
            wrong.unless(is_one, || {
                format!("container `{name}`: a probe has either `command` or `port`")
            });
        }
    }
}

fn volumes(inputs: &Inputs, wrong: &mut Problems) {
    let count = inputs.volumes.len();
    wrong.unless(count <= MOST_VOLUMES, || {
        format!("there are {count} volumes; a group has at most {MOST_VOLUMES}")
    });
    for (name, volume) in &inputs.volumes {
        wrong.unless(is_volume(name), || {
            format!("volume `{name}`: its name is not {}", word::VOLUME)
        });
        let kinds = [
            volume.empty_dir,
            volume.secret.is_some(),
            volume.azure_file.is_some(),
            volume.git.is_some(),
        ];
        wrong.unless(kinds.into_iter().filter(|is| *is).count() == 1, || {
            format!("volume `{name}` is one of `empty-dir`, `secret`, `azure-file` and `git`")
        });
        wrong.unless(inputs.os == Os::Linux || volume.empty_dir || volume.secret.is_some(), || {
            format!("volume `{name}`: containers of Windows have no `azure-file` and no `git`")
        });
    }
}

fn address(inputs: &Inputs, wrong: &mut Problems) {
    if let Some(label) = &inputs.dns_label {
        let longest = 63 - if inputs.dns_random { SUFFIX } else { 0 };
        wrong.unless(is_dns_label(label) && label.len() <= longest, || {
            format!("`dns-label`: `{label}` is not {}", word::DNS_LABEL)
        });
        wrong.unless(inputs.address() == Some(Ip::Public), || {
            "`dns-label` needs a public address".to_owned()
        });
    } else {
        wrong.unless(!inputs.dns_random, || "`dns-random` without `dns-label`".to_owned());
        wrong.unless(inputs.health.is_none(), || "`health` without `dns-label`".to_owned());
    }
    let has_subnet = !inputs.subnets.is_empty();
    wrong.unless(!(has_subnet && inputs.address() == Some(Ip::Public)), || {
        "a group in `subnets` has no public address".to_owned()
    });
    wrong.unless(inputs.address() != Some(Ip::Private) || has_subnet, || {
        "`ip = \"private\"` needs `subnets`".to_owned()
    });
    wrong.unless(inputs.dns.is_none() || has_subnet, || "`dns` without `subnets`".to_owned());
    let ports: Vec<_> = inputs.all_containers().into_iter().flat_map(|it| it.ports).collect();
    let distinct: BTreeSet<_> = ports.iter().collect();
    wrong.unless(distinct.len() == ports.len(), || {
        "two containers of a group cannot have the same port".to_owned()
    });
    wrong.unless(inputs.address().is_none() || ports.len() <= MOST_PORTS, || {
        format!("there are {} ports; an address has at most {MOST_PORTS}", ports.len())
    });
}

fn sizes(inputs: &Inputs, wrong: &mut Problems) {
    let all = inputs.all_containers();
    for container in &all {
        let Container { name, cpu, memory, limits, .. } = container;
        wrong.unless(*cpu > 0.0 && *memory > 0.0, || {
            format!("container `{name}`: `cpu` and `memory` are more than 0")
        });
        let within = |most: Option<f64>, own: f64| most.is_none_or(|most| most >= own);
        let fits = limits.is_none_or(|it| within(it.cpu, *cpu) && within(it.memory, *memory));
        wrong.unless(fits, || format!("container `{name}`: `limits` are below what it asks for"));
    }
    let sum = |of: fn(&Container) -> f64| all.iter().map(of).sum::<f64>();
    let (cpu, memory) = (sum(|it| it.cpu), sum(|it| it.memory));
    let (most_cpu, most_memory) = if inputs.spot { MOST_SPOT } else { MOST };
    wrong.unless(cpu <= most_cpu && memory <= most_memory, || {
        format!(
            "the containers ask for {cpu} CPUs and {memory} GB; such a group has at most \
             {most_cpu} and {most_memory}"
        )
    });
}

fn credential(inputs: &Inputs, registry: &Registry, wrong: &mut Problems) {
    let Registry { server, username, password, identity } = registry;
    let is_host = !server.is_empty() && !server.contains(['/', '@', ' ']);
    wrong.unless(is_host, || format!("`registries`: `{server}` is no registry's name"));
    let is_one =
        matches!((username, password, identity), (Some(_), Some(_), None) | (None, None, Some(_)));
    wrong.unless(is_one, || {
        format!("registry `{server}`: say `username` and `password`, or `identity`")
    });
    let Some(identity) = identity else { return };
    let same = |id: &String| match (id.parse::<ResourceId>(), identity.parse::<ResourceId>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    wrong.unless(inputs.identities.iter().any(same), || {
        format!("registry `{server}`: its `identity` must be one of the group's `identities`")
    });
}

fn terms(inputs: &Inputs, wrong: &mut Problems) {
    let spot = [
        (inputs.address() == Some(Ip::Public), "a public address"),
        (!inputs.subnets.is_empty(), "`subnets`"),
        (inputs.sku == Sku::Confidential, "`sku = \"confidential\"`"),
        (!inputs.zones.is_empty(), "`zones`"),
    ];
    for (has, what) in spot {
        wrong.unless(!(inputs.spot && has), || {
            format!("{what}: a group on spare capacity (`spot`) has none")
        });
    }
    let is_confidential = inputs.sku == Sku::Confidential;
    wrong.unless(inputs.confidential.is_none() || is_confidential, || {
        "`confidential` without `sku = \"confidential\"`".to_owned()
    });
    let all = inputs.all_containers();
    let privileged =
        all.iter().filter_map(|it| it.security.as_ref()).any(|it| it.privileged == Some(true));
    wrong.unless(!privileged || is_confidential, || {
        "only a confidential group has `privileged` containers".to_owned()
    });
    let ends = inputs.restart != crate::inputs::Restart::Always;
    wrong.unless(inputs.wait_for != WaitFor::Finished || ends, || {
        "`wait-for = \"finished\"` of containers that are always restarted never ends; say \
         `restart = \"never\"`"
            .to_owned()
    });
}

fn rest(inputs: &Inputs, wrong: &mut Problems) {
    for id in inputs.identities.iter().chain(&inputs.subnets) {
        if let Err(error) = id.parse::<ResourceId>() {
            wrong.unless(false, || error.to_string());
        }
    }
    wrong.unless(inputs.tags.len() <= MOST_TAGS, || {
        format!("there are {} tags; a resource has at most {MOST_TAGS}", inputs.tags.len())
    });
    if let Err(error) = within(inputs) {
        wrong.unless(false, || error.message().to_owned());
    }
    if let Some(health) = &inputs.health {
        let is_path = health.path.starts_with('/') && !health.path.contains(['#', ' ']);
        wrong.unless(is_path, || format!("`health`: `{}` is no path", health.path));
        wrong.unless(["http", "https"].contains(&health.scheme.as_str()), || {
            format!("`health`: `{}` is neither `http` nor `https`", health.scheme)
        });
    }
}

#[cfg(test)]
mod tests;
