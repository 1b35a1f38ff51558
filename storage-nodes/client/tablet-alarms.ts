/**
 * What is the matter with a tablet, in a sentence for people, with the command that helps. From what the
 * store says of it and what nodes say of their own copies; `penncloud status` and the console show the same.
 */
import type { TabletStatus } from './client.ts';

export const COPIES_WANTED = 3;

/** `roles`: what each node that is heard says its copy is. Undefined: nothing is the matter. */
export function alarmOf(
  { id, serving, inSync }: Pick<TabletStatus, 'id' | 'serving' | 'inSync'>,
  roles: ReadonlyMap<string, string>,
): string | undefined {
  if (serving) {
    if (inSync.length >= COPIES_WANTED) return undefined;
    return `Tablet ${id} has ${inSync.length} of ${COPIES_WANTED} copies in sync (${inSync.join(', ')}).`;
  }
  const quarantined = inSync.filter((node) => roles.get(node) === 'quarantined');
  const unheard = inSync.filter((node) => !roles.has(node));
  const isWaiting = quarantined.length + unheard.length === inSync.length;
  if (!isWaiting) return `Tablet ${id} has no serving primary.`;
  const help =
    `\`penncloud recover\` lists the copies that could go on and what each may lose, and changes nothing; ` +
    `\`penncloud recover --force ${id}=NODE --yes\` goes on from one.`;
  if (unheard.length === 0)
    return `Tablet ${id} is not served: none of its in-sync copies can be trusted (${quarantined.join(', ')}). ${help}`;
  const others = quarantined.length > 0 ? `, and ${quarantined.join(', ')} cannot be trusted` : '';
  return `Tablet ${id} is not served: ${unheard.join(', ')} is not heard${others}. Start it; if it is gone for good: ${help}`;
}
