export {
  PromiseSource as Watched,
  recallPromise as recall,
  rememberPromise as remember,
  watchPromise as watch,
} from '@quiesce/internal';
