// For tests: time that stands still until it is moved, and what a channel keeps.

export { retained } from '@quiesce/broadcast-channel/testing';
export { VirtualClock } from '@quiesce/cancellation-token/testing';
