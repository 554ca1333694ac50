#include "memtable/series_choice.h"

#include <algorithm>
#include <functional>
#include <random>

#include "memtable/memtable_fixture.h"

namespace nodedb_ts::test {
namespace {

using Choice = std::vector<uint16_t>;

Choice Choose(std::vector<NtsColumn> columns, int32_t time_column, uint32_t rows,
              const std::function<Row(int)>& make) {
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), time_column, 0};
  memtable::Budget budget(1 << 30);
  memtable::Memtable source(&budget, memtable::TableLayout::Make(schema, false, {}, 65536));
  for (uint32_t i = 0; i < rows; ++i) {
    EXPECT_EQ(memtable::Grow::kOk,
              source.Append(ValuesOf(schema, make(static_cast<int>(i))).data(), NTS_NO_ROW_ID, 0));
  }
  return memtable::ChooseSeriesColumns(schema, source, rows);
}

std::string Name(const char* prefix, int number) { return prefix + std::to_string(number); }

// Hosts in turn, tags that the host determines, gauges that walk.
TEST(SeriesChoice, ServersAreToldApartByHost) {
  std::mt19937 random(1);
  std::vector<int> gauges(300, 50);
  const auto gauge = [&](int i) {
    gauges[static_cast<size_t>(i)] += static_cast<int>(random() % 3) - 1;
    return Cell(gauges[static_cast<size_t>(i)]);
  };
  const Choice choice =
      Choose({Int(8), Text(), Text(), Text(), Text(), Text(), Int(8), Int(8), Int(8)}, 0, 10000,
             [&](int i) {
               const int host = i % 100;
               return Row{{i / 100 * 10, Name("region", host % 9), Name("rack", host * 31 % 97),
                           Name("host", host), "x86", Name("team", host % 4), gauge(host),
                           gauge(100 + host), gauge(200 + host)}};
             });
  EXPECT_EQ(Choice({3}), choice);
}

// Trucks that skip ticks, with NULL tags, and times that repeat.
TEST(SeriesChoice, VehiclesAreToldApartByName) {
  std::mt19937 random(2);
  const Choice choice = Choose(
      {Int(8), Text(), Text(), Text(), Float8(), Float8()}, 0, 9000, [&](int i) {
        const int truck = static_cast<int>((static_cast<unsigned>(i) * 200 / 180) % 200);
        const Cell fleet = truck % 13 == 0 ? Cell() : Name("fleet", truck % 4);
        return Row{{i / 180, Name("truck", truck), fleet, Name("model", truck % 3),
                    static_cast<int64_t>(random()), static_cast<int64_t>(random())}};
      });
  EXPECT_EQ(Choice({1}), choice);
}

TEST(SeriesChoice, TwoLabelsThatOnlyTogetherAreAKey) {
  const Choice choice = Choose({Int(8), Text(), Text(), Float8()}, 0, 10000, [](int i) {
    return Row{{i / 50, Name("station", i % 10), Name("metric", i / 10 % 5), i}};
  });
  EXPECT_EQ(Choice({1, 2}), choice);
}

TEST(SeriesChoice, ALabelThatChangesOverTimeIsNoPartOfIt) {
  const Choice choice = Choose({Int(8), Text(), Text(), Int(1, NTS_COLUMN_LABEL)}, 0, 10000,
                               [](int i) {
                                 return Row{{i / 20, Name("state", i / 1000 % 3),
                                             Name("device", i % 20), i / 300 % 2}};
                               });
  EXPECT_EQ(Choice({2}), choice);
}

TEST(SeriesChoice, TimesThatNeverRepeatLeaveTheLabels) {
  std::mt19937 random(3);
  const Choice choice = Choose({Int(8), Text(), Text(), Float8()}, 0, 10000, [&](int i) {
    const int device = static_cast<int>(random() % 60);
    return Row{{int64_t{i} * 1000 + static_cast<int64_t>(random() % 900),
                Name("site", device % 6), Name("device", device), i}};
  });
  EXPECT_EQ(Choice({2}), choice);
}

const char* const kMethods[] = {"GET", "POST", "PUT"};

// One row at each moment: nothing needs telling apart, and what describes a request is none of the key.
TEST(SeriesChoice, WhatVariesAtRandomIsNoPartOfTheKey) {
  std::mt19937 random(7);
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text(), Int(1, NTS_COLUMN_LABEL), Text(), Float8()};
  const auto request = [&](int i, int host) {
    return Row{{i, Name("host", host), kMethods[random() % 3], static_cast<int64_t>(random() % 10 == 0),
                Name("path", static_cast<int>(random() % 400)), static_cast<int64_t>(random())}};
  };
  for (const int hosts : {5, 17, 50, 400, 4000}) {
    EXPECT_EQ(Choice({1}), Choose(columns, 0, 10000, [&](int i) { return request(i, i % hosts); })) << hosts;
    // In each round in another order.
    std::vector<int> order(static_cast<size_t>(hosts));
    EXPECT_EQ(Choice({1}), Choose(columns, 0, 10000, [&](int i) {
                if (i % hosts == 0) {
                  for (int h = 0; h < hosts; ++h) order[static_cast<size_t>(h)] = h;
                  std::shuffle(order.begin(), order.end(), random);
                }
                return request(i, order[static_cast<size_t>(i % hosts)]);
              })) << hosts << " shuffled";
  }
  // A few moments with two rows change nothing.
  EXPECT_EQ(Choice({1}), Choose(columns, 0, 10000, [&](int i) {
              Row row = request(i, static_cast<int>(random() % 20));
              row.cells[0] = i - (i % 8 == 0);
              return row;
            }));
}

TEST(SeriesChoice, AStateThatLastsIsNoPartOfTheKey) {
  std::mt19937 random(8);
  std::vector<int> states(30);
  EXPECT_EQ(Choice({2}), Choose({Int(8), Text(), Text(), Float8()}, 0, 10000, [&](int i) {
              int& state = states[static_cast<size_t>(i % 30)];
              if (random() % 40 == 0) state = static_cast<int>(random() % 4);
              return Row{{i, Name("state", state), Name("device", i % 30), i}};
            }));
}

TEST(SeriesChoice, LabelsInTurnWithinAnotherAreAKeyTogether) {
  std::mt19937 random(9);
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text(), Text(), Float8()};
  const auto row = [&](int i, int host, int cpu) {
    return Row{{i * 10 + static_cast<int64_t>(random() % 5), Name("host", host), Name("cpu", cpu),
                kMethods[random() % 3], i}};
  };
  EXPECT_EQ(Choice({1, 2}), Choose(columns, 0, 10000, [&](int i) { return row(i, i / 8 % 40, i % 8); }));
  EXPECT_EQ(Choice({1, 2}), Choose(columns, 0, 10000, [&](int i) { return row(i, i % 40, i / 40 % 8); }));
  // Hosts have between one and six interfaces.
  std::vector<std::pair<int, int>> interfaces;
  for (int host = 0; host < 60; ++host) {
    for (int c = 0; c <= host * 7 % 6; ++c) interfaces.emplace_back(host, c);
  }
  EXPECT_EQ(Choice({1, 2}), Choose(columns, 0, 10000, [&](int i) {
              const auto [host, name] = interfaces[static_cast<size_t>(i) % interfaces.size()];
              return row(i, host, name);
            }));
  // Devices report three values each, at any time.
  int device = 0;
  EXPECT_EQ(Choice({1, 2}), Choose(columns, 0, 10000, [&](int i) {
              if (i % 3 == 0) device = static_cast<int>(random() % 60);
              Row one = row(i, device, i % 3);
              one.cells[0] = int64_t{i / 3} * 1000000 + i % 3 + static_cast<int64_t>(random() % 900000) / 3 * 3;
              return one;
            }));
}

TEST(SeriesChoice, AtRegularTimesAFewValuesAtRandomMakeNoSeries) {
  std::mt19937 random(10);
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text()};
  for (const int step : {1, 0}) {  // at any time: the label, for lack of a better one
    EXPECT_EQ(step == 1 ? Choice() : Choice({1}), Choose(columns, 0, 10000, [&](int i) {
                return Row{{step == 1 ? i : i * 1000 + static_cast<int64_t>(random() % 900),
                            kMethods[random() % 3], Name("user", static_cast<int>(random() % 5000))}};
              }));
  }
  EXPECT_EQ(Choice({1}), Choose(columns, 0, 10000, [&](int i) {
              return Row{{i, Name("device", static_cast<int>(random() % 60)), kMethods[random() % 3]}};
            }));
}

TEST(SeriesChoice, OneSeriesNeedsNoColumns) {
  EXPECT_EQ(Choice(), Choose({Int(8), Text(), Float8()}, 0, 10000,
                             [](int i) { return Row{{i, "the only one", i}}; }));
  std::mt19937 random(4);
  EXPECT_EQ(Choice(), Choose({Int(8), Int(4), Float8()}, 0, 10000, [&](int i) {
              return Row{{i, static_cast<int64_t>(random() % 101), i}};
            }));
}

TEST(SeriesChoice, NearlyUniqueColumnsAreNeverChosen) {
  EXPECT_EQ(Choice({2}),
            Choose({Int(8), Text(), Text(), Int(8)}, 0, 10000, [](int i) {
              return Row{{i / 10, Name("request", i), Name("host", i % 10), i}};
            }));
  EXPECT_EQ(Choice(), Choose({Int(8), Text()}, 0, 10000, [](int i) {
              return Row{{i / 10, Name("request", i)}};
            }));
}

TEST(SeriesChoice, IntegersThatBehaveLikeIds) {
  std::mt19937 random(5);
  const Choice choice = Choose({Int(8), Int(4), Int(8), Float8()}, 0, 10000, [&](int i) {
    return Row{{i / 40, static_cast<int64_t>(random() % 101), 700000 + i % 40, i}};
  });
  EXPECT_EQ(Choice({2}), choice);
}

TEST(SeriesChoice, GaugesAreNotIds) {
  for (const unsigned range : {2u, 11u, 101u, 1001u, 5001u, 100000u}) {
    for (const int hosts : {3, 20, 100}) {
      std::mt19937 random(6);
      const auto any = [&] { return Cell(static_cast<int64_t>(random() % range)); };
      EXPECT_EQ(Choice(), Choose({Int(8), Int(8), Int(8), Int(8), Int(4)}, 0, 10000, [&](int i) {
                  return Row{{i / hosts, any(), any(), any(), any()}};
                }))
          << range << " values, " << hosts << " hosts";
    }
  }
}

TEST(SeriesChoice, LogsThatArriveSystemBySystem) {
  EXPECT_EQ(Choice({1}), Choose({Int(8), Text(), Text()}, 0, 10000, [](int i) {
              return Row{{i / 7, Name("system", i / 2000), Name("message", i)}};
            }));
}

TEST(SeriesChoice, WithoutTime) {
  EXPECT_EQ(Choice({0}), Choose({Text(), Int(4), Text(), Float8()}, -1, 5000, [](int i) {
              return Row{{Name("set", i / 200), i, Name("kind", i / 1000), i}};
            }));
}

TEST(SeriesChoice, NothingToChooseFrom) {
  EXPECT_EQ(Choice(), Choose({}, -1, 10, [](int) { return Row{}; }));
  EXPECT_EQ(Choice(), Choose({Int(8), Text()}, 0, 0, [](int) { return Row{}; }));
  EXPECT_EQ(Choice(), Choose({Int(8), Text()}, 0, 1, [](int) { return Row{{1, "a"}}; }));
  EXPECT_EQ(Choice(), Choose({Int(8), Text()}, 0, 100, [](int) { return Row{{Cell(), Cell()}}; }));
}

TEST(SeriesChoice, ManyLabels) {
  std::vector<NtsColumn> columns(40, Text());
  columns.insert(columns.begin(), Int(8));
  const Choice choice = Choose(columns, 0, 10000, [](int i) {
    Row row{{i / 32}};
    for (int c = 0; c < 40; ++c) row.cells.push_back(Name("v", (i >> (c % 5)) & 1));
    return row;
  });
  EXPECT_EQ(Choice({1, 2, 3, 4, 5}), choice);
}

TEST(SeriesChoice, ThePartChoosesAtItsTenThousandthRow) {
  Table table({Int(8), Text(), Float8()}, 0, 0);
  for (int i = 0; i < 9999; ++i) table.Append({{i / 10, Name("host", i % 10), i}});
  EXPECT_FALSE(table.part->has_series());
  EXPECT_EQ(0u, table.manager->Counters().active_series);
  table.Append({{999, "host 9", 1}});
  EXPECT_TRUE(table.part->has_series());
  EXPECT_EQ(Choice({1}), Choice(table.part->series_columns().begin(),
                                table.part->series_columns().end()));
  EXPECT_EQ(11u, table.manager->Counters().active_series);
  table.part->Reset();
  EXPECT_TRUE(table.part->has_series());
}

TEST(SeriesChoice, AChoiceFromFewRowsIsForgottenWithThem) {
  Table table({Int(8), Text(), Float8()}, 0, 0);
  for (int i = 0; i < 20; ++i) table.Append({{i / 2, Name("host", i % 2), i}});
  memtable::SegmentList list;
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &list).ok());
  EXPECT_TRUE(table.part->has_series());
  table.part->Reset();
  EXPECT_FALSE(table.part->has_series());
}

}  // namespace
}  // namespace nodedb_ts::test
