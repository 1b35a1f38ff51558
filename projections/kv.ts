/** A user's own cells: the projection is the identity. The value stays a reference to the log's part. */
import type { KvEvent } from '../domain/kv/events.ts';
import type { Mutation, Projection } from './projection.ts';

const types: readonly KvEvent['type'][] = ['kv.CellPut', 'kv.CellDeleted'];

export const kvProjection: Projection = {
  name: 'kv',
  listensTo: new Set(types),
  priors: () => [],
  project(event: KvEvent, entry): Mutation[] {
    const cell = { row: entry.stream, column: event.data.column };
    switch (event.type) {
      case 'kv.CellPut':
        return [{ put: cell, value: { part: event.data.part } }];
      case 'kv.CellDeleted':
        return [{ delete: cell }];
    }
  },
};
