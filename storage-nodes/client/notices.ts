/** The notices, for those who reach the store through its client alone. */
export type { CommitNotice, ControlWish, Heartbeat, Notices, ProcessKind } from '../wire/notices.ts';
