"""Packed datasets behind an address, on a real S3 server of this machine."""

import contextlib
import select
import socket
import socketserver
import threading
from pathlib import Path

import boto3
import fsspec
import pytest
import s3fs
import torch
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from torch.utils.data import DataLoader

from lada import remote
from lada.checkpoints.reading import load_training_checkpoint
from lada.data import ClipDraw, InfiniteSampler, MosaicVideoDataset, init_worker
from lada.data.packed import INDEX_NAME, PackedDataset
from lada.dataset_tools.packing import pack_dataset
from lada.errors import LadaError

ADDRESS = 's3://films/some folder/train'


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections on to a server, or breaks them off after some bytes of the answer."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(('127.0.0.1', 0), _Connection)
        self.target = ('127.0.0.1', port)
        self.break_off = 0
        """How many answers are still to be broken off."""
        self.after = 200
        """Bytes of an answer that get through before."""
        self.broken = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        relay = self.server
        with contextlib.suppress(OSError), socket.create_connection(relay.target) as server:
            while True:
                for side in select.select([self.request, server], [], [])[0]:
                    data = side.recv(1 << 16)
                    if not data:
                        return
                    if side is server and relay.break_off > 0:
                        relay.break_off -= 1
                        relay.broken += 1
                        self.request.sendall(data[: relay.after])
                        return
                    (server if side is self.request else self.request).sendall(data)


@pytest.fixture(scope='module')
def s3():
    server = ThreadedMotoServer(ip_address='127.0.0.1', port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def relay(s3, monkeypatch, tmp_path):
    """Lets S3's clients of this test reach the server by way of a :class:`Relay`."""
    with Relay(s3) as relay:
        relay.environment = {
            'AWS_ACCESS_KEY_ID': 'key',
            'AWS_SECRET_ACCESS_KEY': 'secret',
            'AWS_DEFAULT_REGION': 'us-east-1',
            'AWS_ENDPOINT_URL': f'http://127.0.0.1:{relay.server_address[1]}',
            'XDG_CACHE_HOME': str(tmp_path / 'cache'),
        }
        for name, value in relay.environment.items():
            monkeypatch.setenv(name, value)
        fsspec.get_filesystem_class('s3').clear_instance_cache()
        yield relay
        relay.shutdown()


def upload(folder: Path, address: str) -> None:
    bucket, _, prefix = address.removeprefix('s3://').partition('/')
    client = boto3.client('s3')
    client.create_bucket(Bucket=bucket)
    for path in folder.iterdir():
        client.upload_file(str(path), bucket, f'{prefix}/{path.name}')


@pytest.fixture
def packed(relay, clips, tmp_path):
    """A packed dataset of five clips in three tar files, of which the server has a copy."""
    root = clips[0].parent
    size = sum(path.stat().st_size for path in root.rglob('*-000000.*')) + 3200
    pack_dataset([root], tmp_path / 'packed', size)
    assert len(list((tmp_path / 'packed').glob('*.tar'))) == 3
    upload(tmp_path / 'packed', ADDRESS)
    return tmp_path / 'packed'


def assert_same(folder, dataset):
    other = MosaicVideoDataset(folder, num_frame=3)
    for index in range(len(other)):
        one, two = (each[ClipDraw(index, 4)] for each in (dataset, other))
        assert 'replaced' not in one['data_samples']
        assert torch.equal(one['inputs'], two['inputs'])
        assert torch.equal(one['data_samples'].gt_img, two['data_samples'].gt_img)


@pytest.mark.parametrize('ending', ['', '/', '/crop_unscaled_meta'])
def test_samples_are_those_of_the_folder(packed, ending):
    assert_same(packed, MosaicVideoDataset(ADDRESS + ending, num_frame=3))


def test_loader_workers_read_too(packed):
    batches = []
    for folder in (packed, ADDRESS):
        dataset = MosaicVideoDataset(folder, num_frame=3)
        dataset[0]  # a connection from before the workers were made must not be shared
        loader = DataLoader(
            dataset,
            batch_size=None,
            sampler=InfiniteSampler(dataset, seed=1),
            num_workers=2,
            worker_init_fn=init_worker,
        )
        batches.append([next(samples) for samples in [iter(loader)] for _ in range(6)])
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one['inputs'], other['inputs'])


def test_lost_connections_are_tried_again(packed, relay, monkeypatch):
    monkeypatch.setattr(remote, '_FIRST_PAUSE', 0.01)
    dataset = MosaicVideoDataset(ADDRESS, num_frame=3)
    for after in (0, 50, 2000):
        relay.after, relay.break_off = after, 2
        assert_same(packed, dataset)
        assert relay.break_off == 0
    assert relay.broken == 6


def test_a_server_that_is_gone_ends_in_one_line(packed, relay, monkeypatch):
    monkeypatch.setattr(remote, '_FIRST_PAUSE', 0.01)
    dataset = MosaicVideoDataset(ADDRESS, num_frame=3)
    monkeypatch.setattr(s3fs.S3FileSystem, 'retries', 1)
    relay.break_off = 10**6
    relay.after = 0
    with pytest.raises(LadaError, match=r'clip .*: cannot be read after 4 attempts \(') as caught:
        dataset[0]
    assert '\n' not in str(caught.value)
    relay.break_off = 0
    assert_same(packed, dataset)


def test_what_is_not_there_is_named(packed):
    with pytest.raises(LadaError, match=r's3://films/other holds no packed.index'):
        MosaicVideoDataset('s3://films/other', num_frame=3)
    with pytest.raises(LadaError, match=r'films://x'):
        MosaicVideoDataset('films://x', num_frame=3)
    boto3.client('s3').delete_object(Bucket='films', Key='some folder/train/00001.tar')
    with pytest.raises(LadaError, match=r'1 tar file .* with 1 clip of 5: .*00001.tar \(not'):
        MosaicVideoDataset(ADDRESS, num_frame=3)


def test_other_bytes_are_found(packed):
    client = boto3.client('s3')
    data = bytearray((packed / '00001.tar').read_bytes())
    part = PackedDataset.open(packed)[2].parts[1]
    data[part.start + 40] ^= 1
    client.put_object(Bucket='films', Key='some folder/train/00001.tar', Body=bytes(data))
    with pytest.raises(LadaError, match=r'damaged: s3://films/.*00001.tar \(video of'):
        MosaicVideoDataset(ADDRESS, num_frame=3)[2]


def test_a_table_that_was_packed_anew_is_read_anew(packed, clips, tmp_path):
    assert len(MosaicVideoDataset(ADDRESS, num_frame=3)) == 5
    pack_dataset([clips[1].parent], tmp_path / 'other', int(1e9))
    upload(tmp_path / 'other', ADDRESS)
    assert_same(tmp_path / 'other', MosaicVideoDataset(ADDRESS, num_frame=3))


def test_downloads_are_kept_within_bounds(packed, relay, tmp_path):
    largest = max(path.stat().st_size for path in packed.glob('*.tar'))
    folder = tmp_path / 'downloads'
    dataset = MosaicVideoDataset(
        ADDRESS, num_frame=3, download_cache=dict(folder=str(folder), max_gb=2 * largest / 1e9)
    )
    for _ in range(3):
        assert_same(packed, dataset)
        kept = list(folder.iterdir())
        assert 0 < sum(path.stat().st_size for path in kept) <= 2 * largest
    roomy = MosaicVideoDataset(
        ADDRESS, num_frame=3, download_cache=dict(folder=str(folder), max_gb=1)
    )
    assert_same(packed, roomy)
    # What is there is not asked of the server again, and not believed where it is damaged.
    kept[0].write_bytes(b'nothing')
    assert_same(packed, roomy)
    relay.break_off, relay.after = 10**6, 0
    assert_same(packed, roomy)


def test_a_training_reads_from_the_server(
    packed, relay, clips, write_config, run_training, tmp_path
):
    weights = []
    for name, folder in (('files', clips[0]), ('s3', ADDRESS)):
        lines = f"\ntrain_dataloader['dataset']['metadata_root_dir'] = {str(folder)!r}\n"
        lines += 'train_dataloader.update(num_workers=1, persistent_workers=True)\n'
        config = write_config(tmp_path / name, lines)
        status, _, errors = run_training(config, **relay.environment)
        assert status == 0, errors
        weights.append(load_training_checkpoint(tmp_path / name / 'iter_8.pth')['state_dict'])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_addresses_are_told_from_paths():
    assert remote.is_address('s3://bucket/x') and remote.is_address('memory://x')
    for path in ('/data/x', 'data', 'C:\\data', 'c:/data', 'a:b', Path('/x')):
        assert not remote.is_address(path)
    assert remote.join('s3://b/x/y', '../00000.tar') == 's3://b/x/00000.tar'
    assert remote.join('s3://b/x/', INDEX_NAME) == 's3://b/x/packed.index'
