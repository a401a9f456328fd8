import os

import pytest
from conftest_inspect import photo, save_pair
from conftest_isic import OFFICIAL, write_isic

from lesionseg.errors import DatasetNotFoundError, LesionsegError
from lesionseg.inspection import find_sets


def counts(sets):
    return {one.name: (len(one.images), len(one.masks or ()), one.masks is None) for one in sets}


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_official_splits_are_found_at_any_depth(depth, tmp_path):
    root = tmp_path.joinpath(*["deep"] * depth)
    write_isic(root, 2016, "train", 3)
    write_isic(root, 2018, "val", 2)
    write_isic(root, 2018, "test", 2, masks=False)
    sets = find_sets([tmp_path])
    assert counts(sets) == {
        "ISIC 2016 train": (3, 3, False),
        "ISIC 2018 val": (2, 2, False),
        "ISIC 2018 test": (2, 0, True),
    }
    assert [one.official_count for one in sets] == [900, 100, 1000]
    assert [(one.year, one.split) for one in sets][1] == (2018, "val")


def test_too_deep_is_not_searched(tmp_path):
    write_isic(tmp_path / "a" / "b" / "c", 2016, "train", 3)
    with pytest.raises(DatasetNotFoundError, match="2 folders deep"):
        find_sets([tmp_path])


def test_a_doubled_folder_and_one_without_images(tmp_path):
    write_isic(tmp_path, 2018, "val", 2)
    images, masks = (tmp_path / name for name in OFFICIAL[2018, "val"])
    images.rename(tmp_path / "moved")
    images.mkdir()
    (tmp_path / "moved").rename(images / images.name)
    assert counts(find_sets([tmp_path])) == {"ISIC 2018 val": (2, 2, False)}
    (images / images.name).rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    images.rmdir()
    assert counts(find_sets([tmp_path])) == {"ISIC 2018 val": (0, 2, False)}
    assert masks.is_dir()


def test_ph2_with_a_missing_mask(tmp_path):
    for name in ("IMD002", "IMD003"):
        case = tmp_path / "PH2Dataset" / "PH2 Dataset images" / name
        (case / f"{name}_Dermoscopic_Image").mkdir(parents=True)
        photo(0).save(case / f"{name}_Dermoscopic_Image" / f"{name}.bmp")
    (case / "IMD003_lesion").mkdir()
    photo(0).convert("1").save(case / "IMD003_lesion" / "IMD003_lesion.bmp")
    for path in (tmp_path, tmp_path / "PH2Dataset", case.parent):
        (one,) = find_sets([path])
        assert (one.name, one.ids, list(one.masks)) == ("PH2", ["IMD002", "IMD003"], ["IMD003"])


def test_folders_of_ones_own(tmp_path):
    save_pair(tmp_path / "plain/images", tmp_path / "plain/masks", "a", 0)
    for part in ("train", "val"):
        save_pair(tmp_path / "split/Images" / part, tmp_path / "split/Masks" / part, part, 1)
    save_pair(tmp_path / "beside", tmp_path / "beside", "b", 2, ending="_Mask")
    save_pair(tmp_path / "bare", None, "c", 3)
    (tmp_path / "bare" / "notes.txt").write_text("no image")
    (tmp_path / "bare" / ".hidden.png").write_bytes(b"")
    sets = find_sets([tmp_path])
    assert counts(sets) == {
        "bare": (1, 0, True),
        "beside": (1, 1, False),
        "plain": (1, 1, False),
        "split train": (1, 1, False),
        "split val": (1, 1, False),
    }
    assert all(one.official_count is None for one in sets)
    assert [one.split for one in sets] == [None, None, None, "train", "val"]
    assert counts(find_sets([tmp_path / "plain"])) == {"plain": (1, 1, False)}


def test_masks_in_a_folder_of_another_name(tmp_path):
    save_pair(tmp_path / "x", tmp_path / "y", "a", 0, ending="_lesion")
    (one,) = find_sets([tmp_path / "x"], tmp_path / "y")
    assert (one.name, list(one.images), list(one.masks)) == ("x", ["a"], ["a"])
    with pytest.raises(LesionsegError, match="--masks"):
        find_sets([tmp_path / "x", tmp_path], tmp_path / "y")


def test_a_second_file_of_an_id_is_a_problem(tmp_path):
    write_isic(tmp_path, 2018, "val", 2)
    folder = tmp_path / OFFICIAL[2018, "val"][0]
    photo(0).save(folder / "isic_0001000.png")
    (one,) = find_sets([tmp_path])
    assert [problem.kind for problem in one.problems] == ["same id twice"]
    assert "isic_0001000.png" in one.problems[0].message


def test_a_path_given_twice_counts_once_and_names_differ(tmp_path):
    for parent in ("one", "two"):
        write_isic(tmp_path / parent, 2018, "val", 2)
    sets = find_sets([tmp_path, tmp_path / "one"])
    assert [one.name for one in sets] == ["ISIC 2018 val #1", "ISIC 2018 val #2"]


def test_what_is_not_there_gives_one_sentence(tmp_path):
    (tmp_path / "file.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        find_sets([tmp_path / "nowhere"])
    with pytest.raises(LesionsegError, match=r"file\.jpg is a file"):
        find_sets([tmp_path / "file.jpg"])
    with pytest.raises(DatasetNotFoundError, match="empty"):
        find_sets([tmp_path / "empty"])


def test_a_folder_that_may_not_be_read_stops_no_other(tmp_path, monkeypatch):
    for name in ("mine", "lost+found"):
        save_pair(tmp_path / name, None, "a", 0)
    may = os.access  # root may read everything
    monkeypatch.setattr(
        os, "access", lambda path, mode: "lost" not in str(path) and may(path, mode)
    )
    (one,) = find_sets([tmp_path])
    assert one.name == "mine"
    assert [problem.path.name for problem in one.problems] == ["lost+found"]
    with pytest.raises(DatasetNotFoundError, match=r"lost\+found cannot be read"):
        find_sets([tmp_path / "lost+found"])
