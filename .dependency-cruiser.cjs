/**
 * The import rules: who may know whom. `domain` knows nobody; what is outside knows what is inside;
 * never the other way round, and never in a circle.
 */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { pathNot: allowed },
});
const never = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    never('no-circles', 'Modules form no circle.', {}, { circular: true }),
    { ...never('no-folder-circles', 'Folders form no circle.', {}, { circular: true }), scope: 'folder' },
    never('no-unresolved', 'Every import leads somewhere.', {}, { couldNotResolve: true }),
    never(
      'no-orphans',
      'Every module is used, or is a start.',
      {
        orphan: true,
        pathNot: ['\\.d\\.ts$', '^ops/(processes|cli|setup|bench)/', '^test/', '^gateways/.*/assets/'],
      },
      {},
    ),

    only('domain-is-alone', 'domain imports nothing, not even node: modules.', '^domain/', '^domain/'),
    only(
      'projections-know-domain',
      'projections know domain and nothing else.',
      '^projections/',
      '^(projections|domain)/',
    ),
    only(
      'replication-is-pure',
      'replication knows only the words of the store.',
      '^storage-nodes/replication/',
      '^storage-nodes/(replication/|words\\.ts|faults\\.ts|log/entry\\.ts)',
    ),
    never(
      'replication-runs-no-log',
      'replication names the types of entries, and calls nothing of the log.',
      { path: '^storage-nodes/replication/' },
      { path: '^storage-nodes/log/', dependencyTypesNot: ['type-only'] },
    ),
    never(
      'log-and-cells-are-blind',
      'log and cells do not know what entries mean.',
      { path: '^storage-nodes/(log|cells|replication)/' },
      { path: '^(domain|projections|gateways|ops|test)/' },
    ),
    never(
      'log-and-cells-are-leaves',
      'log and cells know neither each other nor who uses them (cells know no log at all).',
      { path: '^storage-nodes/(log|cells)/' },
      { path: '^storage-nodes/(tablet|client|master|wire)/' },
    ),
    never(
      'one-door-to-rocksdb',
      'Only cells import the binding.',
      { pathNot: '^storage-nodes/cells/' },
      { path: 'node_modules/(rocksdb|leveldown|abstract-leveldown)/' },
    ),
    never(
      'one-door-to-nats',
      'NATS stands behind one file (as a peer in the benchmark it stands behind another).',
      { pathNot: '^(storage-nodes/wire/nats-notices\\.ts|ops/bench/systems/jetstream-client\\.ts|test/)' },
      { path: 'node_modules/nats/' },
    ),
    never(
      'store-knows-no-gateway',
      'Storage nodes know no gateway and no operator.',
      { path: '^storage-nodes/' },
      { path: '^(gateways|ops|test)/' },
    ),
    never(
      'gateways-use-the-client',
      'Gateways reach storage through its client alone.',
      { path: '^gateways/' },
      { path: '^storage-nodes/', pathNot: '^storage-nodes/(client/|faults\\.ts|words\\.ts)' },
    ),
    never(
      'gateways-know-no-operator',
      'Gateways know neither ops nor tests.',
      { path: '^gateways/' },
      { path: '^(ops|test)/' },
    ),
    never(
      'web-is-apart',
      'web, admin and smtp never import each other.',
      { path: '^gateways/web/' },
      { path: '^gateways/(admin|smtp)/' },
    ),
    never(
      'admin-is-apart',
      'web, admin and smtp never import each other.',
      { path: '^gateways/admin/' },
      { path: '^gateways/(web|smtp)/' },
    ),
    never(
      'smtp-is-apart',
      'web, admin and smtp never import each other.',
      { path: '^gateways/smtp/' },
      { path: '^gateways/(web|admin)/' },
    ),
    never(
      'rooms-below-know-no-other',
      'What stands under the gateways, or beside them, knows none of what uses it.',
      { path: '^gateways/(http|message|liveness|postmaster)/' },
      { path: '^gateways/', pathNot: '^gateways/$1/' },
    ),
    never(
      'passwords-are-below',
      'What checks passwords knows nobody who asks for it.',
      { path: '^gateways/passwords/' },
      { path: '^(gateways|storage-nodes)/', pathNot: '^gateways/passwords/' },
    ),
    never(
      'chunks-know-pages',
      'Files on their way in and out know what pages share, and no page.',
      { path: '^gateways/chunks/' },
      { path: '^gateways/', pathNot: '^gateways/(chunks|pages)/' },
    ),
    never(
      'drafts-know-their-chunks',
      'Drafts know where their attachments lie and how mail is read, and no page.',
      { path: '^gateways/drafts/' },
      { path: '^gateways/', pathNot: '^gateways/(drafts|chunks|message)/' },
    ),
    never('nobody-imports-tests', 'Only tests import tests.', { pathNot: '^test/' }, { path: '^test/' }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|data|coverage)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
