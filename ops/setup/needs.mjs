/** Which programs beyond Node a `penncloud` command runs: its words and its environment say. Pure. */

const SERVER_OF = {
  penncloud: 'nats-server',
  etcd: 'etcd',
  redis: 'redis-server',
  jetstream: 'nats-server',
};

/** `words`: the command line behind `penncloud`. Wrong words are for the command itself to refuse. */
export function programsFor([command, ...words], environment = {}) {
  if (command === 'up') return startsEtcd(words, environment) ? ['nats-server', 'etcd'] : ['nats-server'];
  if (command === 'chaos') return ['nats-server'];
  if (command !== 'bench' || words.includes('--help')) return [];
  const systems = optionOf('--systems', words)?.split(',') ?? Object.keys(SERVER_OF);
  return [...new Set(systems.map((system) => SERVER_OF[system]).filter((server) => server !== undefined))];
}

/** Not if it is told of an etcd cluster that runs already. */
function startsEtcd(words, environment) {
  const store = optionOf('--config-store', words) ?? environment.PENNCLOUD_CONFIG_STORE;
  return store === 'etcd' && !environment.PENNCLOUD_ETCD_ENDPOINTS;
}

/** Programs that a command does without where they cannot be installed. */
export function usefulFor([command, ...words]) {
  return command === 'chaos' && !words.includes('--help') ? ['libfaketime'] : [];
}

/** The value of `--name value` or `--name=value`. */
function optionOf(name, words) {
  const at = words.findIndex((word) => word === name || word.startsWith(`${name}=`));
  return at < 0 ? undefined : words[at] === name ? words[at + 1] : words[at].slice(name.length + 1);
}
